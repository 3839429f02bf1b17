# SPDX-License-Identifier: BSD-3-Clause
# Fails, naming them, if UMBRELLA does not include each of HEADERS.
file(READ "${UMBRELLA}" _text)
set(_missing "")
foreach(_header IN LISTS HEADERS)
  string(REGEX REPLACE "^.*/include/(tessera/.*)$" "\\1" _name "${_header}")
  string(FIND "${_text}" "#include \"${_name}\"" _at)
  if(_at EQUAL -1 AND NOT _header STREQUAL UMBRELLA)
    string(APPEND _missing "\n  ${_name}")
  endif()
endforeach()
if(_missing)
  message(FATAL_ERROR "${UMBRELLA} does not include:${_missing}")
endif()
