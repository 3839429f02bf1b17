# SPDX-License-Identifier: BSD-3-Clause
# Makes the Debian package of the build tree BUILD, checks it and extracts it to FOLDER. DPKG_DEB: the program of that name.
file(REMOVE_RECURSE "${FOLDER}")
get_filename_component(_bin "${CMAKE_COMMAND}" DIRECTORY)
execute_process(COMMAND "${_bin}/cpack" -G DEB --config "${BUILD}/CPackConfig.cmake" -B "${FOLDER}/made"
                WORKING_DIRECTORY "${BUILD}" COMMAND_ERROR_IS_FATAL ANY)
file(GLOB _package "${FOLDER}/made/tessera_*.deb")
list(LENGTH _package _count)
if(NOT _count EQUAL 1)
  message(FATAL_ERROR "expected one package tessera_*.deb, got: ${_package}")
endif()

function(check what text expected)
  if(NOT text MATCHES "${expected}")
    message(FATAL_ERROR "${what}: expected ${expected}, got:\n${text}")
  endif()
endfunction()

execute_process(COMMAND "${DPKG_DEB}" --field "${_package}" OUTPUT_VARIABLE _fields COMMAND_ERROR_IS_FATAL ANY)
check(fields "${_fields}" "Version: ${VERSION}\n")
# The first is for who compiles; the second dpkg-shlibdeps found.
check(fields "${_fields}" "Depends: [^\n]*libeigen3-dev")
check(fields "${_fields}" "Depends: [^\n]*libc6 ")

execute_process(COMMAND "${DPKG_DEB}" --extract "${_package}" "${FOLDER}/root" COMMAND_ERROR_IS_FATAL ANY)
file(GLOB _top RELATIVE "${FOLDER}/root" "${FOLDER}/root/*")
check("top folders" "${_top}" "^usr$")
foreach(_file IN ITEMS include/tessera/tessera.hpp include/tessera/core/version.hpp share/doc/tessera/LICENSE ${FILES})
  if(NOT EXISTS "${FOLDER}/root/usr/${_file}")
    message(FATAL_ERROR "the package lacks /usr/${_file}")
  endif()
endforeach()
file(GLOB_RECURSE _libtorch "${FOLDER}/root/*libtorch*" "${FOLDER}/root/*libc10*")
check("LibTorch's libraries" "${_libtorch}" "^$")
