# Included by console/CMakeLists.txt, or by tests/unit/hooks while that is not there.
if(NOT TARGET plumb_hooks_install)
  add_library(plumb_hooks_install STATIC ${CMAKE_SOURCE_DIR}/console/hooks_install.cpp)
  add_library(plumb::hooks_install ALIAS plumb_hooks_install)
  target_link_libraries(plumb_hooks_install
    PUBLIC plumb::core
    PRIVATE plumb::process plumb::warnings)
endif()
