# SPDX-License-Identifier: BSD-3-Clause
# Installs each component with an export set of its own, so that a user of the core needs nothing that mpi or io need.

include(CMakePackageConfigHelpers)
set(_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tessera")
get_property(TESSERA_COMPONENTS GLOBAL PROPERTY TESSERA_COMPONENTS)

# `cmake --install` of a tree in which only some programs were built builds the libraries that are missing.
set(_libraries ${TESSERA_COMPONENTS})
list(REMOVE_ITEM _libraries core)
list(TRANSFORM _libraries PREPEND tessera_)
add_custom_target(tessera_libraries DEPENDS ${_libraries})
list(TRANSFORM _libraries REPLACE "(.+)" "\"$<TARGET_FILE:\\1>\"" OUTPUT_VARIABLE _library_files)
list(JOIN _library_files " " _library_files)
install(CODE "
  foreach(_library IN ITEMS ${_library_files})
    if(NOT EXISTS \"\${_library}\")
      message(STATUS \"tessera: building what was not built yet, \${_library}\")
      execute_process(COMMAND \"${CMAKE_COMMAND}\" --build \"${CMAKE_BINARY_DIR}\" --config \"\${CMAKE_INSTALL_CONFIG_NAME}\"
                              --target tessera_libraries COMMAND_ERROR_IS_FATAL ANY)
    endif()
  endforeach()")

foreach(_component IN LISTS TESSERA_COMPONENTS)
  install(TARGETS tessera_${_component} EXPORT tessera-${_component}
          ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
          FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  install(EXPORT tessera-${_component} NAMESPACE tessera:: DESTINATION "${_package_dir}")
endforeach()

if(EXISTS "${PROJECT_SOURCE_DIR}/share/weights")
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/share/weights" DESTINATION "${CMAKE_INSTALL_DATADIR}/tessera")
endif()
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

get_target_property(_type tessera_denoisers TYPE)
string(COMPARE EQUAL "${_type}" STATIC_LIBRARY TESSERA_STATIC)
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/tesseraConfig.cmake.in" "${PROJECT_BINARY_DIR}/tesseraConfig.cmake"
  INSTALL_DESTINATION "${_package_dir}" NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0 a minor version may change interfaces.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/tesseraConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/tesseraConfig.cmake" "${PROJECT_BINARY_DIR}/tesseraConfigVersion.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/FindLibTorch.cmake" "${PROJECT_SOURCE_DIR}/cmake/FindNCCL.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/FindHighway.cmake" "${PROJECT_SOURCE_DIR}/cmake/FindCFITSIO.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/FindLibHDF5.cmake"
        DESTINATION "${_package_dir}")
