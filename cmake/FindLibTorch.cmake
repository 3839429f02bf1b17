# SPDX-License-Identifier: BSD-3-Clause
# Finds LibTorch, the C++ part of PyTorch, from its headers and libraries alone: PyTorch's own package file demands a
# CUDA toolkit of its taste even on machines without a GPU.
#
# Tried in this order; the first folder that holds a LibTorch of the wanted version or newer is taken:
#   TORCH_DIR             CMake or environment variable: a libtorch folder or a site-packages/torch. Only this if given.
#   CMAKE_PREFIX_PATH     each folder, and the folder torch in it
#   LibTorch_HINTS        set by a package file: where the package's own LibTorch was
#   .deps/venv            of the project, made by examples/run.sh and tests/run.sh
#   Python                the interpreter on PATH, if it has the package torch
#
# Components: CUDA        the CUDA runtime, from a toolkit or from the NVIDIA wheels beside torch
# Targets:    LibTorch::cpu       libtorch_cpu and c10, with OpenMP
#             LibTorch::c10_cuda  adds streams and the CUDA runtime; loads on machines without a GPU
#             LibTorch::cuda      adds libtorch_cuda, which loads only where all of CUDA's libraries are installed
# Variables:  LibTorch_FOUND LibTorch_VERSION LibTorch_ROOT LibTorch_CUDA_FOUND

# Version of the LibTorch in `root`, or "" if there is none.
function(_libtorch_version root result)
  set(_version "")
  if(EXISTS "${root}/include/ATen/core/Tensor.h" AND EXISTS "${root}/lib/libtorch_cpu.so")
    foreach(_header IN ITEMS torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
      if(NOT _version AND EXISTS "${root}/include/${_header}")
        file(STRINGS "${root}/include/${_header}" _lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
        if("${_lines}" MATCHES "MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+)")
          set(_version "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3}")
        endif()
      endif()
    endforeach()
  endif()
  set(${result} "${_version}" PARENT_SCOPE)
endfunction()

# Takes `root` as LibTorch_ROOT if it fits, otherwise notes under the name `source` why not.
macro(_libtorch_try source root)
  if(NOT LibTorch_ROOT)
    _libtorch_version("${root}" _found_version)
    if(NOT _found_version)
      list(APPEND _tried "${source}: ${root} has no include/ATen/core/Tensor.h and lib/libtorch_cpu.so")
    elseif(LibTorch_FIND_VERSION AND _found_version VERSION_LESS LibTorch_FIND_VERSION)
      list(APPEND _tried "${source}: ${root} is ${_found_version}, ${LibTorch_FIND_VERSION} or newer is needed")
    else()
      get_filename_component(LibTorch_ROOT "${root}" ABSOLUTE)
      set(LibTorch_VERSION "${_found_version}")
    endif()
  endif()
endmacro()

set(LibTorch_ROOT "")
set(LibTorch_VERSION "")
set(_tried "")

if(NOT TORCH_DIR AND DEFINED ENV{TORCH_DIR})
  # Kept, so that a later run of CMake from another shell finds the same.
  set(TORCH_DIR "$ENV{TORCH_DIR}" CACHE PATH "Folder of LibTorch; empty: search" FORCE)
endif()
if(TORCH_DIR)
  _libtorch_try("TORCH_DIR" "${TORCH_DIR}")
else()
  list(APPEND _tried "TORCH_DIR: not set")

  set(_prefixes ${CMAKE_PREFIX_PATH})
  if(DEFINED ENV{CMAKE_PREFIX_PATH})
    string(REPLACE ":" ";" _environment_prefixes "$ENV{CMAKE_PREFIX_PATH}")
    list(APPEND _prefixes ${_environment_prefixes})
  endif()
  if(NOT _prefixes)
    list(APPEND _tried "CMAKE_PREFIX_PATH: not set")
  endif()
  foreach(_prefix IN LISTS _prefixes)
    _libtorch_version("${_prefix}/torch" _version_below)
    if(_version_below)
      string(APPEND _prefix "/torch")
    endif()
    _libtorch_try("CMAKE_PREFIX_PATH" "${_prefix}")
  endforeach()

  foreach(_hint IN LISTS LibTorch_HINTS)
    _libtorch_try("where the package was built" "${_hint}")
  endforeach()

  file(GLOB _deps "${PROJECT_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/torch")
  if(NOT _deps)
    list(APPEND _tried ".deps/venv: not there")
  endif()
  foreach(_dir IN LISTS _deps)
    _libtorch_try(".deps/venv" "${_dir}")
  endforeach()

  if(NOT LibTorch_ROOT)
    find_program(_python NAMES python3 python NO_CACHE)
    if(_python)
      # -I: a folder named torch in the current directory is no package.
      execute_process(
        COMMAND "${_python}" -I -c
                "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
        OUTPUT_VARIABLE _python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
      if(_python_torch)
        _libtorch_try("Python ${_python}" "${_python_torch}")
      else()
        list(APPEND _tried "Python: ${_python} has no package torch")
      endif()
    else()
      list(APPEND _tried "Python: neither python3 nor python is on PATH")
    endif()
  endif()
endif()

# See -idirafter below: the compiler would take these headers instead.
foreach(_dir IN ITEMS /usr/include /usr/local/include)
  if(LibTorch_ROOT AND EXISTS "${_dir}/ATen/core/Tensor.h")
    list(APPEND _tried "${LibTorch_ROOT}: hidden by the headers of another LibTorch in ${_dir} (Debian: libtorch-dev); remove those")
    set(LibTorch_ROOT "")
  endif()
endforeach()

if(LibTorch_ROOT AND NOT TARGET LibTorch::cpu)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  add_library(LibTorch::cpu INTERFACE IMPORTED)
  # LibTorch ships headers of other projects (fmt, pybind11, ...) without their libraries. Searched after the system's
  # own folders, they do not come before the fmt that a program links.
  target_compile_options(LibTorch::cpu INTERFACE "SHELL:-idirafter \"${LibTorch_ROOT}/include\""
                                                 "SHELL:-idirafter \"${LibTorch_ROOT}/include/torch/csrc/api/include\"")
  target_link_libraries(LibTorch::cpu INTERFACE "${LibTorch_ROOT}/lib/libtorch_cpu.so" "${LibTorch_ROOT}/lib/libc10.so")
  # at::parallel_for is a header template that runs serially, silently, unless compiled with OpenMP. By flag and not
  # as OpenMP::OpenMP_CXX, whose libgomp has the name of the one in LibTorch's folder: CMake would warn of it.
  separate_arguments(_openmp_flags NATIVE_COMMAND "${OpenMP_CXX_FLAGS}")
  target_compile_options(LibTorch::cpu INTERFACE ${_openmp_flags})
  target_link_options(LibTorch::cpu INTERFACE ${_openmp_flags})
  target_compile_definitions(LibTorch::cpu INTERFACE AT_PER_OPERATOR_HEADERS)
  # libtorch_cpu finds its own dependencies through its run path; the linker must not insist on seeing them.
  target_link_options(LibTorch::cpu INTERFACE "LINKER:--allow-shlib-undefined" "LINKER:-rpath,${LibTorch_ROOT}/lib")
endif()

set(LibTorch_CUDA_FOUND FALSE)
if(LibTorch_ROOT AND "CUDA" IN_LIST LibTorch_FIND_COMPONENTS)
  # Beside torch first, so that one process holds one CUDA runtime.
  get_filename_component(_site "${LibTorch_ROOT}/.." ABSOLUTE)
  # Python packages have the headers of the runtime in three parts.
  set(_cuda_includes)
  foreach(_header cuda_runtime_api.h crt/host_defines.h nv/target)
    find_path(_cuda_include "${_header}" NO_CACHE
              HINTS "${_site}/nvidia/cu13/include" "${_site}/nvidia/cuda_runtime/include" "$ENV{CUDA_HOME}/include"
              PATHS /usr/local/cuda/include)
    list(APPEND _cuda_includes "${_cuda_include}")
    unset(_cuda_include)
  endforeach()
  list(REMOVE_DUPLICATES _cuda_includes)
  find_library(_cudart NAMES libcudart.so.13 libcudart.so.12 cudart NO_CACHE
               HINTS "${_site}/nvidia/cu13/lib" "${_site}/nvidia/cuda_runtime/lib" "$ENV{CUDA_HOME}/lib64"
               PATHS /usr/local/cuda/lib64)
  if(EXISTS "${LibTorch_ROOT}/lib/libtorch_cuda.so" AND _cudart AND NOT _cuda_includes MATCHES NOTFOUND)
    set(LibTorch_CUDA_FOUND TRUE)
    if(NOT TARGET LibTorch::c10_cuda)
      get_filename_component(_cudart_dir "${_cudart}" DIRECTORY)
      add_library(LibTorch::c10_cuda INTERFACE IMPORTED)
      target_include_directories(LibTorch::c10_cuda SYSTEM INTERFACE ${_cuda_includes})
      target_link_libraries(LibTorch::c10_cuda INTERFACE LibTorch::cpu "${LibTorch_ROOT}/lib/libc10_cuda.so" "${_cudart}")
      target_link_options(LibTorch::c10_cuda INTERFACE "LINKER:-rpath,${_cudart_dir}")

      add_library(LibTorch::cuda INTERFACE IMPORTED)
      target_link_libraries(LibTorch::cuda INTERFACE LibTorch::c10_cuda
        "-Wl,--no-as-needed,${LibTorch_ROOT}/lib/libtorch_cuda.so,--as-needed")
    endif()
  endif()
endif()

if(NOT LibTorch_ROOT)
  string(REPLACE ";" "\n    " _tried_lines "${_tried}")
  set(_reason "LibTorch was not found. Tried:\n    ${_tried_lines}\n"
              "  Give -DTORCH_DIR=<folder with include/ and lib/>, or install the Python package torch, "
              "or run 'bash examples/run.sh' in tessera's sources, which installs it into .deps/ there.")
  string(CONCAT _reason ${_reason})
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_ROOT LibTorch_VERSION VERSION_VAR LibTorch_VERSION
                                  REASON_FAILURE_MESSAGE "${_reason}" HANDLE_COMPONENTS)
