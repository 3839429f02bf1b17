# SPDX-License-Identifier: BSD-3-Clause
# Runs PROGRAM and checks that it exits with a non-zero code, or with CODE, after printing TEXT once.
execute_process(COMMAND ${LAUNCH} "${PROGRAM}" ${ARGUMENTS} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
string(REPLACE "${TEXT}" "" without "${out}${err}")
string(LENGTH "${out}${err}" length)
string(LENGTH "${without}" rest)
string(LENGTH "${TEXT}" once)
math(EXPR copies "(${length} - ${rest}) / ${once}")
if(code EQUAL 0 OR NOT copies EQUAL 1 OR (DEFINED CODE AND NOT code EQUAL CODE))
  message(FATAL_ERROR "exit code ${code}, '${TEXT}' printed ${copies} times:\n${out}${err}")
endif()
