# SPDX-License-Identifier: BSD-3-Clause
# A port for vcpkg, of the checkout that it lies in: vcpkg install tessera --overlay-ports=cmake/packaging/vcpkg
# LibTorch is yours: TORCH_DIR names it, and VCPKG_KEEP_ENV_VARS=TORCH_DIR lets vcpkg see that.
if(NOT DEFINED ENV{TORCH_DIR})
  message(FATAL_ERROR "tessera: TORCH_DIR is not set, or VCPKG_KEEP_ENV_VARS does not name it: give the folder of LibTorch")
endif()
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)

vcpkg_check_features(OUT_FEATURE_OPTIONS _features FEATURES
  engine TESSERA_ENGINE
  fits TESSERA_FITS
  hdf5 TESSERA_HDF5
  io TESSERA_IO
  mpi TESSERA_MPI)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS ${_features} "-DTORCH_DIR=$ENV{TORCH_DIR}" -DTESSERA_NCCL=OFF -DTESSERA_BUILD_EXAMPLES=OFF -DTESSERA_BUILD_TESTS=OFF
          -DTESSERA_BUILD_DOCS=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME tessera CONFIG_PATH lib/cmake/tessera)

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
