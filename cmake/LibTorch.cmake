# LibTorch out of the PyPI wheel, as imported targets declared by hand. find_package(Torch) is not used:
# for a CUDA wheel it enables the CUDA language and fails without a toolkit, although linking the CPU half
# needs neither. Defines the target torch_cpu, and graticule_use_torch_pch(<target>).
set(GRATICULE_TORCH_DIR "${GRATICULE_DEPS_DIR}/torch/torch" CACHE PATH "The torch folder of the wheel")
if(NOT EXISTS ${GRATICULE_TORCH_DIR}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "LibTorch is missing: ${GRATICULE_TORCH_DIR}/lib/libtorch_cpu.so\n"
                      "Run scripts/setup.sh, or set GRATICULE_TORCH_DIR to the torch folder of an installed wheel.")
endif()

# The wheel brings headers of its own fmt, newer than the library that we link: ours must be found first.
get_target_property(fmt_headers fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/before_torch)
file(CREATE_LINK ${fmt_headers}/fmt ${CMAKE_BINARY_DIR}/before_torch/fmt SYMBOLIC)

add_library(torch_cpu INTERFACE)
target_include_directories(torch_cpu SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/before_torch
  ${GRATICULE_TORCH_DIR}/include ${GRATICULE_TORCH_DIR}/include/torch/csrc/api/include)
# libtorch.so is left out on purpose: it drags in libtorch_cuda. The wheel's own libraries find what they
# need through their RPATH, hence --allow-shlib-undefined.
target_link_libraries(torch_cpu INTERFACE
  ${GRATICULE_TORCH_DIR}/lib/libtorch_cpu.so ${GRATICULE_TORCH_DIR}/lib/libc10.so)
target_link_options(torch_cpu INTERFACE -Wl,--allow-shlib-undefined)

# One precompiled header for all torch code (halves the compile time of a small file).
file(WRITE ${CMAKE_BINARY_DIR}/torch_pch.cc "// Owner of the precompiled torch header.\n")
add_library(graticule_torch_pch STATIC ${CMAKE_BINARY_DIR}/torch_pch.cc)
target_link_libraries(graticule_torch_pch PUBLIC torch_cpu graticule_options)
target_precompile_headers(graticule_torch_pch PRIVATE
  <ATen/ATen.h> <torch/csrc/autograd/autograd.h> <torch/csrc/autograd/custom_function.h>
  <torch/csrc/autograd/variable.h> <torch/csrc/autograd/grad_mode.h>
  <string> <vector> <map> <memory> <functional> <optional>)
function(graticule_use_torch_pch target)
  target_link_libraries(${target} PRIVATE graticule_options)
  # Executables would get -fPIE and GCC then ignores a header precompiled with -fPIC.
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -fPIC)
  target_precompile_headers(${target} REUSE_FROM graticule_torch_pch)
endfunction()
