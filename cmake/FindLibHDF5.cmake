# SPDX-License-Identifier: BSD-3-Clause
# Finds the serial HDF5 C library by its header and library; CMake's own module needs the language C in every project
# that links it.
# Target: LibHDF5::hdf5.  Variables: LibHDF5_FOUND LibHDF5_VERSION.

find_path(LibHDF5_INCLUDE_DIR hdf5.h PATH_SUFFIXES hdf5/serial)
find_library(LibHDF5_LIBRARY NAMES hdf5_serial hdf5 PATH_SUFFIXES hdf5/serial)
mark_as_advanced(LibHDF5_INCLUDE_DIR LibHDF5_LIBRARY)

if(LibHDF5_INCLUDE_DIR)
  file(STRINGS "${LibHDF5_INCLUDE_DIR}/H5public.h" _lines REGEX "#define H5_VERS_(MAJOR|MINOR|RELEASE)[ \t]+[0-9]+")
  if("${_lines}" MATCHES "MAJOR[ \t]+([0-9]+).*MINOR[ \t]+([0-9]+).*RELEASE[ \t]+([0-9]+)")
    set(LibHDF5_VERSION "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3}")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibHDF5 REQUIRED_VARS LibHDF5_LIBRARY LibHDF5_INCLUDE_DIR
                                  VERSION_VAR LibHDF5_VERSION)

if(LibHDF5_FOUND AND NOT TARGET LibHDF5::hdf5)
  add_library(LibHDF5::hdf5 UNKNOWN IMPORTED)
  set_target_properties(LibHDF5::hdf5 PROPERTIES IMPORTED_LOCATION "${LibHDF5_LIBRARY}"
                        INTERFACE_INCLUDE_DIRECTORIES "${LibHDF5_INCLUDE_DIR}")
endif()
