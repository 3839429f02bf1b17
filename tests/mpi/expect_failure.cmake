# SPDX-License-Identifier: BSD-3-Clause
# Runs `mpiexec -n RANKS PROGRAM FAULT CULPRIT <folder>` and checks that the job ends by itself with a non-zero exit
# code, within LIMIT_S seconds of the start of its ranks (launching them may take long on a busy machine); that TEXT is
# printed on standard error exactly COPIES times and that every rank returned CODE, where these are given; and that no
# rank is left running.

set(folder "${WORK_DIR}/${FAULT}.${CULPRIT}.${RANKS}")
file(REMOVE_RECURSE "${folder}")
file(MAKE_DIRECTORY "${folder}")

execute_process(COMMAND "${MPIEXEC}" "${NUMPROC_FLAG}" ${RANKS} "${PROGRAM}" ${FAULT} ${CULPRIT} "${folder}"
                TIMEOUT 50 RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
string(TIMESTAMP end "%s")
message(STATUS "result '${result}'\n${output}${errors}")

if(result MATCHES "timeout")
  message(SEND_ERROR "the job did not end by itself")
elseif(result EQUAL 0)
  # mpiexec of MPICH 4.2.0 and 4.2.1 often loses the code of a job that it ended, of any program.
  execute_process(COMMAND "${MPIEXEC}" --version OUTPUT_VARIABLE version ERROR_QUIET)
  if(version MATCHES "HYDRA.*Version: +4\\.2\\.[01]\n")
    message(STATUS "exit code 0: not counted, this launcher loses exit codes")
  else()
    message(SEND_ERROR "the job ended with exit code 0")
  endif()
endif()

math(EXPR last "${RANKS} - 1")
foreach(rank RANGE ${last})
  if(NOT EXISTS "${folder}/process.${rank}")
    message(SEND_ERROR "rank ${rank} never started")
    continue()
  endif()
  file(TIMESTAMP "${folder}/process.${rank}" start "%s")
  math(EXPR seconds "${end} - ${start}")
  if(seconds GREATER LIMIT_S)
    message(SEND_ERROR "the job ended ${seconds} s after the start of rank ${rank}, expected at most ${LIMIT_S}")
  endif()
  file(READ "${folder}/process.${rank}" process)
  if(EXISTS "/proc/${process}")
    message(SEND_ERROR "rank ${rank} (process ${process}) is left running")
  endif()
  if(DEFINED CODE)
    set(code "none")
    if(EXISTS "${folder}/code.${rank}")
      file(READ "${folder}/code.${rank}" code)
    endif()
    if(NOT code STREQUAL CODE)
      message(SEND_ERROR "rank ${rank} returned exit code ${code}, expected ${CODE}")
    endif()
  endif()
endforeach()

if(DEFINED TEXT)
  string(REPLACE "${TEXT}" "" without "${errors}")
  string(LENGTH "${TEXT}" length)
  string(LENGTH "${errors}" before)
  string(LENGTH "${without}" after)
  math(EXPR copies "(${before} - ${after}) / ${length}")
  if(NOT copies EQUAL COPIES)
    message(SEND_ERROR "'${TEXT}' was printed ${copies} times, expected ${COPIES}")
  endif()
endif()
