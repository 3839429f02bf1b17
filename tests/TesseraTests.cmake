# SPDX-License-Identifier: BSD-3-Clause
# Build the unit tests, or the MPI tests, alone.
add_custom_target(unit_tests)
add_custom_target(mpi_tests)

# tessera_unit_test(name SOURCES a.cpp ... LIBRARIES x ...): one Catch2 program, one ctest entry.
function(tessera_unit_test name)
  cmake_parse_arguments(_arg "" "TIMEOUT" "SOURCES;LIBRARIES;LABELS" ${ARGN})
  if(NOT _arg_TIMEOUT)
    set(_arg_TIMEOUT 300)
  endif()
  tessera_executable(test_${name} SOURCES ${_arg_SOURCES} LIBRARIES tessera_test_support ${_arg_LIBRARIES})
  if(TESSERA_PRECOMPILE_HEADERS)
    target_precompile_headers(test_${name} REUSE_FROM tessera_test_support)
  endif()
  add_dependencies(unit_tests test_${name})
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT ${_arg_TIMEOUT} LABELS "unit;${_arg_LABELS}")
endfunction()

# tessera_mpi_test(name RANKS 1 2 5 SOURCES ...): one program, one ctest entry per rank count.
# A failure on any rank fails the entry: Catch2 returns the number of failed assertions from every rank.
# More than 3 ranks leave out test cases of the tag [few_ranks], which show nothing else there and are long on few cores.
function(tessera_mpi_test name)
  cmake_parse_arguments(_arg "" "TIMEOUT" "SOURCES;LIBRARIES;RANKS;LABELS" ${ARGN})
  if(NOT _arg_TIMEOUT)
    set(_arg_TIMEOUT 300)
  endif()
  tessera_executable(mpi_${name} SOURCES ${_arg_SOURCES} LIBRARIES tessera_mpi_test_support ${_arg_LIBRARIES})
  if(TESSERA_PRECOMPILE_HEADERS)
    target_precompile_headers(mpi_${name} REUSE_FROM tessera_test_support)
  endif()
  add_dependencies(mpi_tests mpi_${name})
  foreach(_ranks IN LISTS _arg_RANKS)
    set(_cases "")
    if(_ranks GREATER 3)
      set(_cases ~[few_ranks])
    endif()
    add_test(NAME mpi.${name}.${_ranks}
             COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${_ranks} $<TARGET_FILE:mpi_${name}> ${_cases})
    set_tests_properties(mpi.${name}.${_ranks} PROPERTIES TIMEOUT ${_arg_TIMEOUT} PROCESSORS 2 LABELS "mpi;${_arg_LABELS}")
  endforeach()
endfunction()
