# The CUDA module's compiler and libraries: nvcc from a toolkit or from wheels (scripts/setup.sh --cuda), NCCL in the
# version that torch pins, LibTorch's CUDA half from the wheel. Sets GRATICULE_CUDA_FOUND and declares the target
# graticule_cuda_libs and the function graticule_cuda_sources(<target> <file.cu>...).
# CMake's own CUDA language is not used: its checks link against a layout that the wheels do not have.
set(GRATICULE_CUDA_FOUND FALSE)
set(GRATICULE_CUDA_ARCHITECTURES "80;90" CACHE STRING "GPU architectures of the CUDA module, as in sm_80")
find_program(GRATICULE_NVCC nvcc
  HINTS ${GRATICULE_DEPS_DIR}/cuda/nvidia/cu13/bin $ENV{CUDA_HOME}/bin /usr/local/cuda/bin)
# NCCL must be the one that torch links: two of them in one process do not work together.
find_path(GRATICULE_NCCL_INCLUDE nccl.h NO_DEFAULT_PATH PATHS ${GRATICULE_DEPS_DIR}/cuda/nvidia/nccl/include)
find_file(GRATICULE_NCCL_LIBRARY libnccl.so.2 NO_DEFAULT_PATH PATHS ${GRATICULE_DEPS_DIR}/cuda/nvidia/nccl/lib)
# Its library is opened at run time, from there or from wherever the loader finds it.
find_path(GRATICULE_NVJPEG_INCLUDE nvjpeg.h NO_DEFAULT_PATH PATHS ${GRATICULE_DEPS_DIR}/cuda/nvidia/cu13/include)
get_filename_component(cuda_bin "${GRATICULE_NVCC}" REALPATH)
get_filename_component(cuda_bin "${cuda_bin}" DIRECTORY)
find_path(GRATICULE_CUDA_INCLUDE crt/host_config.h NO_DEFAULT_PATH PATHS ${cuda_bin}/../include)
set(cudart ${GRATICULE_TORCH_DIR}/../nvidia/cu13/lib/libcudart.so.13)

foreach(part GRATICULE_NVCC GRATICULE_NCCL_INCLUDE GRATICULE_NCCL_LIBRARY GRATICULE_NVJPEG_INCLUDE GRATICULE_CUDA_INCLUDE)
  if(NOT ${part})
    message(STATUS "libgraticule_cuda.so is left out: ${part} not found (scripts/setup.sh --cuda)")
    return()
  endif()
endforeach()
if(NOT EXISTS ${cudart} OR NOT EXISTS ${GRATICULE_TORCH_DIR}/lib/libtorch_cuda.so)
  message(STATUS "libgraticule_cuda.so is left out: no libcudart.so.13 or libtorch_cuda.so in the torch wheel")
  return()
endif()
set(GRATICULE_CUDA_FOUND TRUE)
get_filename_component(GRATICULE_NVJPEG_FOLDER ${GRATICULE_NVJPEG_INCLUDE} DIRECTORY)

# The wheel's headers come first: they are those of the runtime that is linked.
add_library(graticule_cuda_libs INTERFACE)
target_include_directories(graticule_cuda_libs SYSTEM INTERFACE
  ${GRATICULE_NCCL_INCLUDE} ${GRATICULE_TORCH_DIR}/../nvidia/cu13/include ${GRATICULE_CUDA_INCLUDE}
  ${GRATICULE_NVJPEG_INCLUDE})
# libtorch_cuda registers its kernels from static initialisers: --as-needed would drop it.
target_link_libraries(graticule_cuda_libs INTERFACE
  -Wl,--no-as-needed ${GRATICULE_TORCH_DIR}/lib/libtorch_cuda.so ${GRATICULE_TORCH_DIR}/lib/libc10_cuda.so -Wl,--as-needed
  torch_cpu ${GRATICULE_NCCL_LIBRARY} ${cudart})

function(graticule_cuda_sources target)
  set(flags -std=c++20 -O3 --compiler-options=-fPIC,-fvisibility=hidden -I${CMAKE_SOURCE_DIR} -I${GRATICULE_CUDA_INCLUDE})
  foreach(architecture ${GRATICULE_CUDA_ARCHITECTURES})
    list(APPEND flags -gencode=arch=compute_${architecture},code=sm_${architecture})
  endforeach()
  # PTX of the newest one serves later GPUs.
  list(GET GRATICULE_CUDA_ARCHITECTURES -1 newest)
  list(APPEND flags -gencode=arch=compute_${newest},code=compute_${newest})
  foreach(source ${ARGN})
    string(REPLACE "/" "_" object ${source})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${object}.o)
    add_custom_command(OUTPUT ${object} VERBATIM COMMENT "Building CUDA object ${source}"
      COMMAND ${GRATICULE_NVCC} ${flags} -ccbin ${CMAKE_CXX_COMPILER} -MD -MF ${object}.d -c ${CMAKE_SOURCE_DIR}/${source} -o ${object}
      DEPENDS ${CMAKE_SOURCE_DIR}/${source} DEPFILE ${object}.d)
    target_sources(${target} PRIVATE ${object})
  endforeach()
endfunction()
