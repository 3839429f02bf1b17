# SPDX-License-Identifier: BSD-3-Clause
# What the components need; AUTO components are switched off, with a message, when a need is missing.

find_package(Threads REQUIRED)
find_package(LibTorch 2.11 REQUIRED OPTIONAL_COMPONENTS CUDA)
if(LibTorch_VERSION VERSION_GREATER_EQUAL 2.16)
  message(STATUS "tessera: LibTorch ${LibTorch_VERSION} is newer than what tessera was tried with (2.11 to 2.15)")
endif()

find_package(Eigen3 3.4 QUIET NO_MODULE)
find_package(fmt 9 QUIET)
set(_missing "")
if(NOT Eigen3_FOUND)
  list(APPEND _missing "Eigen 3.4 (Debian: libeigen3-dev)")
endif()
if(NOT fmt_FOUND)
  list(APPEND _missing "fmt 9 or newer (Debian: libfmt-dev)")
endif()
if(_missing)
  list(JOIN _missing ", " _missing)
  message(FATAL_ERROR "tessera: not found: ${_missing}. Install them, or name their places in CMAKE_PREFIX_PATH.")
endif()

# Decides a component: sets TESSERA_WITH_<name>. Further arguments: the variables that must all be true.
function(tessera_decide name)
  set(_missing "")
  foreach(_need IN LISTS ARGN)
    if(NOT ${_need})
      string(REGEX REPLACE "_FOUND$" "" _need "${_need}")
      list(APPEND _missing "${_need}")
    endif()
  endforeach()
  list(JOIN _missing ", " _missing)
  if(TESSERA_${name} STREQUAL "AUTO")
    if(_missing)
      message(STATUS "tessera: component ${name} off (not found: ${_missing})")
    endif()
  elseif(TESSERA_${name} AND _missing)
    message(FATAL_ERROR "tessera: TESSERA_${name}=ON, but these were not found: ${_missing}. "
                        "Install them, or give -DTESSERA_${name}=OFF.")
  endif()
  if(TESSERA_${name} AND NOT _missing)
    set(TESSERA_WITH_${name} TRUE PARENT_SCOPE)
  else()
    set(TESSERA_WITH_${name} FALSE PARENT_SCOPE)
  endif()
endfunction()

if(TESSERA_MPI)
  find_package(MPI COMPONENTS CXX)
endif()
tessera_decide(MPI MPI_CXX_FOUND)

if(TESSERA_NCCL)
  find_package(NCCL)
endif()
tessera_decide(NCCL NCCL_FOUND LibTorch_CUDA_FOUND)

if(TESSERA_IO)
  find_package(PNG)
  find_package(JPEG)
  find_package(TIFF 4.5)  # errors and warnings per file, not per process
  find_package(nlohmann_json 3.7 QUIET)
endif()
tessera_decide(IO PNG_FOUND JPEG_FOUND TIFF_FOUND nlohmann_json_FOUND)

set(tessera_io_FOUND ${TESSERA_WITH_IO})
if(TESSERA_FITS)
  find_package(CFITSIO)
endif()
tessera_decide(FITS CFITSIO_FOUND tessera_io_FOUND)

if(TESSERA_HDF5)
  find_package(LibHDF5 1.10)
endif()
tessera_decide(HDF5 LibHDF5_FOUND tessera_io_FOUND)

if(TESSERA_CUDA AND NOT LibTorch_CUDA_FOUND)
  message(FATAL_ERROR "tessera: TESSERA_CUDA=ON, but ${LibTorch_ROOT} has no libtorch_cuda, or the CUDA runtime with "
                      "its headers (Python packages nvidia-cuda-runtime, nvidia-cuda-crt, nvidia-cuda-cccl) was not found beside "
                      "it, in CUDA_HOME or in /usr/local/cuda.")
endif()

# The convolution engine: part of the core, where Highway is there; else denoisers run LibTorch's operations.
if(TESSERA_ENGINE)
  find_package(Highway 1.0)
endif()
tessera_decide(ENGINE Highway_FOUND)
