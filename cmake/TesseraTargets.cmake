# SPDX-License-Identifier: BSD-3-Clause
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
    target_link_options(${target} PUBLIC "$<BUILD_INTERFACE:-fsanitize=${TESSERA_SANITIZE}>")
  endif()
endfunction()

# The public headers of a component. The core has every room but those that need MPI, NCCL or files, or have a library of their own.
function(tessera_component_headers name result)
  set(_root "${PROJECT_SOURCE_DIR}/include/tessera")
  if(name MATCHES "^(mpi|nccl)$")
    file(GLOB _headers CONFIGURE_DEPENDS "${_root}/comm/${name}*.hpp")
  elseif(name STREQUAL "core")
    file(GLOB_RECURSE _headers CONFIGURE_DEPENDS "${_root}/*.hpp")
    list(FILTER _headers EXCLUDE REGEX "/(fourier|io|report|tomography)/|/run/(checkpoint|memory|preview|progress|recorder|run_folder)|/comm/(mpi|nccl)")
    list(APPEND _headers "${PROJECT_BINARY_DIR}/include/tessera/core/version.hpp")
  elseif(name MATCHES "^(fits|hdf5)$")
    set(_headers "${_root}/io/${name}.hpp")
  else()  # tessera::denoisers has those of the core
    file(GLOB _headers CONFIGURE_DEPENDS "${_root}/${name}/*.hpp")
    list(FILTER _headers EXCLUDE REGEX "/io/(fits|hdf5).hpp")  # components of their own
  endif()
  set(${result} "${_headers}" PARENT_SCOPE)
endfunction()

# tessera_embed_texts(target name.cpp.in files ...): a source of the target from a template, in which @file_ending@ is the text of each file.
function(tessera_embed_texts target template)
  foreach(_file IN LISTS ARGN)
    file(READ "${_file}" _text)
    string(REPLACE "." "_" _name "${_file}")
    set(${_name} "${_text}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${_file}")
  endforeach()
  string(REGEX REPLACE "\\.in$" "" _source "${CMAKE_CURRENT_BINARY_DIR}/${template}")
  configure_file("${template}" "${_source}" @ONLY)
  target_sources(${target} PRIVATE "${_source}")
endfunction()

# Makes the target tessera_<name> a component, tessera::<export>, and gives it its headers.
function(tessera_component name export)
  set(_target tessera_${name})
  add_library(tessera::${export} ALIAS ${_target})
  set_target_properties(${_target} PROPERTIES EXPORT_NAME ${export})
  get_target_property(_type ${_target} TYPE)
  set(_scope PUBLIC)
  if(_type STREQUAL "INTERFACE_LIBRARY")
    set(_scope INTERFACE)
  endif()
  tessera_component_headers(${name} _headers)
  target_sources(${_target} ${_scope} FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" "${PROJECT_BINARY_DIR}/include"
                                      FILES ${_headers})
  set_property(GLOBAL APPEND PROPERTY TESSERA_COMPONENTS ${name})
endfunction()

# A compiled component: tessera_library(mpi) makes tessera_mpi, alias tessera::mpi.
function(tessera_library name)
  set(_target tessera_${name})
  add_library(${_target})
  set_target_properties(${_target} PROPERTIES POSITION_INDEPENDENT_CODE ON VERSION ${PROJECT_VERSION}
                                              SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  tessera_component(${name} ${name})
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

# A program of this folder's main.cpp and `parts`, a static library of all the rest: the program and its tests compile it once.
function(tessera_program target parts)
  tessera_compile_options(${parts})
  tessera_executable(${target} SOURCES main.cpp LIBRARIES ${parts})
  if(TESSERA_PRECOMPILE_HEADERS)
    target_precompile_headers(${parts} PRIVATE "${PROJECT_SOURCE_DIR}/include/tessera/core/tensor.hpp" <fmt/format.h>)
    target_precompile_headers(${target} REUSE_FROM ${parts})
  endif()
endfunction()

# The folder's configs/*.yml beside the program, so that --config configs/<name>.yml finds them from anywhere.
function(tessera_configs_beside target)
  file(GLOB _configs CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" configs/*.yml)
  get_target_property(_folder ${target} RUNTIME_OUTPUT_DIRECTORY)
  if(NOT _folder)
    set(_folder "${CMAKE_CURRENT_BINARY_DIR}")
  endif()
  foreach(_config IN LISTS _configs)
    configure_file(${_config} "${_folder}/${_config}" COPYONLY)
  endforeach()
endfunction()
