# SPDX-License-Identifier: BSD-3-Clause
# Finds cfitsio by its header and library.
# Target: CFITSIO::CFITSIO.  Variables: CFITSIO_FOUND CFITSIO_VERSION.

find_path(CFITSIO_INCLUDE_DIR fitsio.h PATH_SUFFIXES cfitsio)
find_library(CFITSIO_LIBRARY cfitsio)
mark_as_advanced(CFITSIO_INCLUDE_DIR CFITSIO_LIBRARY)

if(CFITSIO_INCLUDE_DIR)
  file(STRINGS "${CFITSIO_INCLUDE_DIR}/fitsio.h" _lines REGEX "#define CFITSIO_(MAJOR|MINOR|MICRO) +[0-9]+")
  if("${_lines}" MATCHES "MICRO +([0-9]+).*MINOR +([0-9]+).*MAJOR +([0-9]+)")
    set(CFITSIO_VERSION "${CMAKE_MATCH_3}.${CMAKE_MATCH_2}.${CMAKE_MATCH_1}")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CFITSIO REQUIRED_VARS CFITSIO_LIBRARY CFITSIO_INCLUDE_DIR
                                  VERSION_VAR CFITSIO_VERSION)

if(CFITSIO_FOUND AND NOT TARGET CFITSIO::CFITSIO)
  add_library(CFITSIO::CFITSIO UNKNOWN IMPORTED)
  set_target_properties(CFITSIO::CFITSIO PROPERTIES IMPORTED_LOCATION "${CFITSIO_LIBRARY}"
                        INTERFACE_INCLUDE_DIRECTORIES "${CFITSIO_INCLUDE_DIR}")
endif()
