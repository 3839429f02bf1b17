# SPDX-License-Identifier: BSD-3-Clause
# Finds NCCL: beside LibTorch first, so that one process holds one NCCL, then on the system.
#
# Target: NCCL::nccl      Hint: NCCL_DIR (CMake or environment variable), a folder with include/ and lib/

set(_hints "${NCCL_DIR}" "$ENV{NCCL_DIR}")
if(LibTorch_ROOT)
  get_filename_component(_site "${LibTorch_ROOT}/.." ABSOLUTE)
  list(APPEND _hints "${_site}/nvidia/nccl")
endif()
find_path(NCCL_INCLUDE_DIR nccl.h NO_CACHE HINTS ${_hints} PATHS /usr/local/cuda PATH_SUFFIXES include)
find_library(NCCL_LIBRARY NAMES libnccl.so.2 nccl NO_CACHE HINTS ${_hints} PATHS /usr/local/cuda
             PATH_SUFFIXES lib lib64)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  NCCL REQUIRED_VARS NCCL_LIBRARY NCCL_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "NCCL was not found. Give -DNCCL_DIR=<folder with include/nccl.h and lib/>, or install the Python package nvidia-nccl-cu13 beside torch, or switch it off with -DTESSERA_NCCL=OFF.")

if(NCCL_FOUND AND NOT TARGET NCCL::nccl)
  add_library(NCCL::nccl INTERFACE IMPORTED)
  target_include_directories(NCCL::nccl SYSTEM INTERFACE "${NCCL_INCLUDE_DIR}")
  target_link_libraries(NCCL::nccl INTERFACE "${NCCL_LIBRARY}")
  get_filename_component(_nccl_dir "${NCCL_LIBRARY}" DIRECTORY)
  target_link_options(NCCL::nccl INTERFACE "LINKER:-rpath,${_nccl_dir}")
endif()
