# `cmake --install`: programs in bin, machine-dependent modules in lib/graticule, configurations in share/graticule.
# Programs find modules beside them or there (trainer/comm/module.h) and LibTorch where it was at build time.
include(GNUInstallDirs)
set(programs graticule graticule-data graticule-enrich graticule-train)
set(modules graticule_mpi graticule_cuda)
# Given by hand: CMake keeps folders below the source tree, where setup.sh puts the wheel, out of installed files.
set(wheel_folders "")
if(GRATICULE_TORCH)
  set(wheel_folders ${GRATICULE_TORCH_DIR}/lib ${GRATICULE_DEPS_DIR}/cuda/nvidia/nccl/lib
    ${GRATICULE_DEPS_DIR}/cuda/nvidia/cu13/lib)
endif()
foreach(target ${programs} ${modules})
  if(TARGET ${target})
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "${wheel_folders}")
    if(target IN_LIST modules)
      install(TARGETS ${target} LIBRARY DESTINATION lib/graticule)
    else()
      install(TARGETS ${target} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
  endif()
endforeach()
install(DIRECTORY configs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/graticule/configs OPTIONAL)

# The start of each program of the relocatable bundle (scripts/bundle.sh).
if(NOT GRATICULE_SANITIZE)
  add_executable(graticule_bundle_launcher launch/bundle/launcher.cc)
  target_link_libraries(graticule_bundle_launcher PRIVATE graticule_options)
  target_link_options(graticule_bundle_launcher PRIVATE -static)
  set_target_properties(graticule_bundle_launcher PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bundle)
endif()
