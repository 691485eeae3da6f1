# Compiler settings shared by every target. Nothing here depends on the machine that builds:
# wider instruction sets are chosen at run time where they matter.
find_program(GRATICULE_CCACHE ccache)
if(GRATICULE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # pch_defines and time_macros: what ccache needs in order to cache files built with a precompiled header.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
               CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${GRATICULE_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${launcher})
endif()

add_library(graticule_options INTERFACE)
target_compile_options(graticule_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-fpch-preprocess>)
target_include_directories(graticule_options INTERFACE ${CMAKE_SOURCE_DIR})

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
if(GRATICULE_SANITIZE)
  add_compile_options(-fsanitize=${GRATICULE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${GRATICULE_SANITIZE})
endif()
if(GRATICULE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # coverage inside of the libraries guides the fuzzer
endif()
