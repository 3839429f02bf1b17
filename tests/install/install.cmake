# SPDX-License-Identifier: BSD-3-Clause
# Installs the build tree BUILD, from nothing, and moves what was installed to PREFIX: a package may be moved.
# With MISSING, a library of that tree, as if that had not been built yet.
file(REMOVE_RECURSE "${PREFIX}" "${PREFIX}.before")
if(MISSING)
  file(REMOVE "${MISSING}")
endif()
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${PREFIX}.before" COMMAND_ERROR_IS_FATAL ANY)
file(RENAME "${PREFIX}.before" "${PREFIX}")
if(MISSING)
  get_filename_component(_name "${MISSING}" NAME)
  file(GLOB_RECURSE _installed "${PREFIX}/*/${_name}")
  if(NOT _installed)
    message(FATAL_ERROR "${_name} was not installed")
  endif()
endif()
