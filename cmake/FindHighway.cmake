# SPDX-License-Identifier: BSD-3-Clause
# Finds Google Highway (SIMD with run-time dispatch) by its headers and library.
# Target: Highway::hwy.  Variables: Highway_FOUND Highway_VERSION.

find_path(Highway_INCLUDE_DIR hwy/highway.h)
find_library(Highway_LIBRARY hwy)
mark_as_advanced(Highway_INCLUDE_DIR Highway_LIBRARY)

if(Highway_INCLUDE_DIR)
  set(Highway_VERSION "")
  foreach(_file highway.h base.h)
    file(STRINGS "${Highway_INCLUDE_DIR}/hwy/${_file}" _lines REGEX "#define HWY_(MAJOR|MINOR|PATCH) [0-9]+")
    if("${_lines}" MATCHES "MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+)")
      set(Highway_VERSION "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3}")
    endif()
  endforeach()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Highway REQUIRED_VARS Highway_LIBRARY Highway_INCLUDE_DIR
                                  VERSION_VAR Highway_VERSION)

if(Highway_FOUND AND NOT TARGET Highway::hwy)
  add_library(Highway::hwy UNKNOWN IMPORTED)
  set_target_properties(Highway::hwy PROPERTIES IMPORTED_LOCATION "${Highway_LIBRARY}"
                        INTERFACE_INCLUDE_DIRECTORIES "${Highway_INCLUDE_DIR}")
endif()
