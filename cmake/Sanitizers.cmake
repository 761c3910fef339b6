# -DPLUMB_SANITIZE=address,undefined | thread
if(PLUMB_SANITIZE)
  add_compile_options(-fsanitize=${PLUMB_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PLUMB_SANITIZE})
endif()
# clang only: libFuzzer is led by what was reached in all of our code, not only in the fuzzer's own file.
if(PLUMB_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
find_program(PLUMB_MOLD mold)
if(PLUMB_MOLD)
  add_link_options(-fuse-ld=mold)  # links in a tenth of the time
endif()
