# SPDX-License-Identifier: BSD-3-Clause
# Runs PROGRAM --plan as on the front end of a cluster, where the environment speaks of tasks and no MPI was launched,
# and checks that it prints a row for each number of ranks.
set(ENV{SLURM_NTASKS} 4)
execute_process(COMMAND "${PROGRAM}" --plan --image-size 256 --ranks 1,2,16,1024 --threads 1 ${ARGUMENTS}
                TIMEOUT 100 RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "exit code ${code}:\n${out}${err}")
endif()
message(STATUS "\n${out}")
foreach(ranks IN ITEMS 1 2 16 1024)
  if(NOT out MATCHES "\n *${ranks} +[0-9]+ +[0-9]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9]+ % +[0-9.]+ +[0-9]+\n")
    message(FATAL_ERROR "no row for ${ranks} ranks:\n${out}")
  endif()
endforeach()
if(NOT out MATCHES "fastest: [0-9]+ ranks?, ")
  message(FATAL_ERROR "no advice:\n${out}")
endif()
