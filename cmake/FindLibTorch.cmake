# Finds LibTorch, the C++ part of PyTorch, from its headers and libraries alone: PyTorch's own package file demands a
# CUDA toolkit of its taste even on machines without a GPU.
#
# Tried in this order: TORCH_DIR (CMake or environment variable: a libtorch folder or a site-packages/torch),
# CMAKE_PREFIX_PATH, .deps/venv of this source tree, the Python interpreter on PATH.
#
# Targets:   LibTorch::cpu   libtorch_cpu and c10, with OpenMP
#            LibTorch::cuda  adds libtorch_cuda and c10_cuda; only if component CUDA was asked for and found
# Variables: LibTorch_FOUND LibTorch_VERSION LibTorch_ROOT LibTorch_CUDA_FOUND

set(_tried "")
set(_candidates "")

foreach(_dir IN ITEMS "${TORCH_DIR}" "$ENV{TORCH_DIR}")
  if(_dir)
    list(APPEND _candidates "${_dir}")
  endif()
endforeach()
if(NOT _candidates)
  list(APPEND _tried "TORCH_DIR (not set)")
endif()
foreach(_prefix IN LISTS CMAKE_PREFIX_PATH)
  list(APPEND _candidates "${_prefix}" "${_prefix}/torch")
endforeach()
file(GLOB _deps "${CMAKE_CURRENT_LIST_DIR}/../.deps/venv/lib/python3*/site-packages/torch")
list(APPEND _candidates ${_deps})
if(NOT _deps)
  list(APPEND _tried ".deps/venv (not there; examples/run.sh and tests/run.sh make it)")
endif()

macro(_libtorch_look)
  foreach(_dir IN LISTS _candidates)
    if(NOT LibTorch_ROOT_FOUND)
      if(EXISTS "${_dir}/include/ATen/core/Tensor.h" AND EXISTS "${_dir}/lib/libtorch_cpu.so")
        set(LibTorch_ROOT_FOUND "${_dir}")
      else()
        list(APPEND _tried "${_dir} (no include/ATen and lib/libtorch_cpu.so in it)")
      endif()
    endif()
  endforeach()
endmacro()

set(LibTorch_ROOT_FOUND "")
_libtorch_look()
if(NOT LibTorch_ROOT_FOUND)
  find_program(_libtorch_python NAMES python3 python)
  if(_libtorch_python)
    execute_process(
      COMMAND "${_libtorch_python}" -c
              "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
      OUTPUT_VARIABLE _python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(_python_torch)
      set(_candidates "${_python_torch}")
      _libtorch_look()
    else()
      list(APPEND _tried "${_libtorch_python} (has no package torch)")
    endif()
  endif()
endif()
set(LibTorch_ROOT "${LibTorch_ROOT_FOUND}")

set(LibTorch_VERSION "")
if(LibTorch_ROOT)
  if(EXISTS "${LibTorch_ROOT}/include/torch/headeronly/version.h")
    set(_version_file "${LibTorch_ROOT}/include/torch/headeronly/version.h")
  else()
    set(_version_file "${LibTorch_ROOT}/include/torch/csrc/api/include/torch/version.h")
  endif()
  if(EXISTS "${_version_file}")
    file(STRINGS "${_version_file}" _lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
    string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+).*" "\\1.\\2.\\3" LibTorch_VERSION "${_lines}")
  endif()
endif()

if(LibTorch_ROOT AND NOT TARGET LibTorch::cpu)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  add_library(LibTorch::cpu INTERFACE IMPORTED)
  target_include_directories(LibTorch::cpu SYSTEM INTERFACE "${LibTorch_ROOT}/include"
                                                           "${LibTorch_ROOT}/include/torch/csrc/api/include")
  # at::parallel_for is a header template that runs serially, silently, unless compiled with OpenMP.
  target_link_libraries(LibTorch::cpu INTERFACE "${LibTorch_ROOT}/lib/libtorch_cpu.so" "${LibTorch_ROOT}/lib/libc10.so"
                                                OpenMP::OpenMP_CXX)
  target_compile_definitions(LibTorch::cpu INTERFACE AT_PER_OPERATOR_HEADERS)
  # libtorch_cpu finds its own dependencies through its run path; the linker must not insist on seeing them.
  target_link_options(LibTorch::cpu INTERFACE "LINKER:--allow-shlib-undefined" "LINKER:-rpath,${LibTorch_ROOT}/lib")
endif()

# CUDA: runtime headers and library from a toolkit or from the NVIDIA wheels beside torch.
set(LibTorch_CUDA_FOUND FALSE)
if(LibTorch_ROOT AND "CUDA" IN_LIST LibTorch_FIND_COMPONENTS)
  get_filename_component(_site "${LibTorch_ROOT}/.." ABSOLUTE)
  find_path(LibTorch_CUDART_INCLUDE cuda_runtime_api.h
            HINTS "${_site}/nvidia/cu13/include" "$ENV{CUDA_HOME}/include" /usr/local/cuda/include)
  find_library(LibTorch_CUDART NAMES cudart libcudart.so.13 libcudart.so.12
               HINTS "${_site}/nvidia/cu13/lib" "$ENV{CUDA_HOME}/lib64" /usr/local/cuda/lib64)
  if(EXISTS "${LibTorch_ROOT}/lib/libtorch_cuda.so" AND LibTorch_CUDART_INCLUDE AND LibTorch_CUDART)
    set(LibTorch_CUDA_FOUND TRUE)
    if(NOT TARGET LibTorch::c10_cuda)
      add_library(LibTorch::c10_cuda INTERFACE IMPORTED)
      target_include_directories(LibTorch::c10_cuda SYSTEM INTERFACE "${LibTorch_CUDART_INCLUDE}")
      target_link_libraries(LibTorch::c10_cuda INTERFACE LibTorch::cpu "${LibTorch_ROOT}/lib/libc10_cuda.so" "${LibTorch_CUDART}")
      get_filename_component(_cudart_dir "${LibTorch_CUDART}" DIRECTORY)
      target_link_options(LibTorch::c10_cuda INTERFACE "LINKER:-rpath,${_cudart_dir}")
    endif()
    # libtorch_cuda only loads where all of CUDA's libraries are installed, so programs link it on request.
    if(NOT TARGET LibTorch::cuda)
      add_library(LibTorch::cuda INTERFACE IMPORTED)
      target_link_libraries(LibTorch::cuda INTERFACE LibTorch::c10_cuda
        "-Wl,--no-as-needed,${LibTorch_ROOT}/lib/libtorch_cuda.so,--as-needed")
    endif()
  endif()
endif()

if(NOT LibTorch_ROOT)
  string(REPLACE ";" "\n  " _tried_lines "${_tried}")
  set(_reason "LibTorch was not found. Tried:\n  ${_tried_lines}\nGive -DTORCH_DIR=<folder with include/ and lib/>, or run 'pip install torch', or run 'bash examples/run.sh', which installs it into .deps/.")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_ROOT VERSION_VAR LibTorch_VERSION
                                  REASON_FAILURE_MESSAGE "${_reason}" HANDLE_COMPONENTS)
