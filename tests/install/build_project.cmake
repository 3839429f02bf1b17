# SPDX-License-Identifier: BSD-3-Clause
# Configures SOURCE in BUILD, from nothing, with ARGUMENTS. If RUN is given, builds and runs that program with its
# arguments, behind LAUNCHER if that is given; otherwise configuring must fail. EXPECT, a regular expression, must match what was printed.
file(REMOVE_RECURSE "${BUILD}")

function(run_step result)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE _code OUTPUT_VARIABLE _output ERROR_VARIABLE _output)
  message("${_output}")
  set(output "${_output}" PARENT_SCOPE)
  set(${result} "${_code}" PARENT_SCOPE)
endfunction()

run_step(code "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${SOURCE}" -B "${BUILD}" ${ARGUMENTS})
if(RUN)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "configuring failed")
  endif()
  run_step(code "${CMAKE_COMMAND}" --build "${BUILD}" --parallel 2)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "building failed")
  endif()
  list(POP_FRONT RUN _program)
  run_step(code ${LAUNCHER} "${BUILD}/${_program}" ${RUN})
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "running ${_program} failed: ${code}")
  endif()
elseif(code EQUAL 0)
  message(FATAL_ERROR "configuring succeeded, a failure was expected")
endif()

string(REGEX REPLACE "[ \n]+" " " output "${output}")
if(NOT output MATCHES "${EXPECT}")
  message(FATAL_ERROR "the output does not match: ${EXPECT}")
endif()
