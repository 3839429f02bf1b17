# Helpers for this project's own targets.

# Warnings, optimisation and sanitizers of our own sources; nothing of it reaches users of the library.
function(tessera_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic)
  if(TESSERA_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(TESSERA_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${TESSERA_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=undefined)
    target_link_options(${target} PUBLIC -fsanitize=${TESSERA_SANITIZE})
  endif()
endfunction()

# A component library: tessera_library(mpi) makes tessera_mpi, alias tessera::mpi.
function(tessera_library name)
  set(_target tessera_${name})
  add_library(${_target})
  if(name STREQUAL "core")
    set(_export tessera)
  else()
    set(_export ${name})
  endif()
  add_library(tessera::${_export} ALIAS ${_target})
  set_target_properties(${_target} PROPERTIES EXPORT_NAME ${_export} POSITION_INDEPENDENT_CODE ON
                                              VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  target_include_directories(${_target} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
                                               "$<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>"
                                               "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  tessera_compile_options(${_target})
endfunction()

# A program of this project; links libtorch_cuda too where TESSERA_CUDA is on.
function(tessera_executable target)
  cmake_parse_arguments(_arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${target} ${_arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${_arg_LIBRARIES})
  if(TESSERA_CUDA)
    target_link_libraries(${target} PRIVATE LibTorch::cuda)
  endif()
  tessera_compile_options(${target})
endfunction()
