# plumb::warnings: linked PRIVATE by every target of ours.
add_library(plumb_warnings INTERFACE)
add_library(plumb::warnings ALIAS plumb_warnings)
target_compile_options(plumb_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wswitch-enum -Wnon-virtual-dtor -Werror=unused-result
  $<$<BOOL:${PLUMB_WERROR}>:-Werror>)
if(PLUMB_FAILPOINTS)
  target_compile_definitions(plumb_warnings INTERFACE PLUMB_FAILPOINTS=1)
endif()
