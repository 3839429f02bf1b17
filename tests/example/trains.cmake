# SPDX-License-Identifier: BSD-3-Clause
# Trains a very small network on a photograph: three steps in one go and in two give the same files, bit for bit; DRUNet
# reads the result; 150 steps remove noise.
file(REMOVE_RECURSE "${OUT}")
file(MAKE_DIRECTORY "${OUT}")

# train(ARGUMENTS ...): output in the variable `output`.
function(train)
  execute_process(COMMAND "${PROGRAM}" --threads 1 ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGN}: exit code ${code}\n${output}${errors}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(same_file first second)
  execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files "${OUT}/${first}" "${OUT}/${second}" RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${OUT}/${first} and ${second} differ")
  endif()
endfunction()

set(data --photographs "${PHOTOGRAPH}")
set(network --widths 4,8 --blocks 1 --crop 32 --warm-up 1)
foreach(optimizer IN ITEMS --muon --no-muon)
  train(${data} ${network} ${optimizer} --batch 2 --steps 3 --checkpoint "${OUT}/whole" --out "${OUT}/whole.safetensors")
  train(${data} ${network} ${optimizer} --batch 2 --steps 3 --stop-after 1 --checkpoint "${OUT}/first" --out "${OUT}/first.safetensors")
  train(${data} --resume "${OUT}/first" --checkpoint "${OUT}/second" --out "${OUT}/second.safetensors")
  same_file(whole second)
  same_file(whole.safetensors second.safetensors)
  execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files "${OUT}/whole" "${OUT}/first" RESULT_VARIABLE code
                  ERROR_QUIET)
  if(code EQUAL 0)
    message(FATAL_ERROR "two steps more changed nothing")
  endif()
endforeach()

# An untrained network knows no picture; the noisy one has 14.15 dB at noise 50.
train(${data} ${network} --muon --batch 4 --learning-rate 0.02 --ema 0.9 --steps 150 --checkpoint "${OUT}/long" --out "${OUT}/long.safetensors")
train(--evaluate --weights "${OUT}/long.safetensors" --validation "${PHOTOGRAPH}" --levels 50)
if(NOT output MATCHES "noise +50.00\n[^ ]+ +([0-9.]+)\n")
  message(FATAL_ERROR "not the expected table: ${output}")
endif()
if(CMAKE_MATCH_1 LESS 18)
  message(FATAL_ERROR "only ${CMAKE_MATCH_1} dB after 150 steps")
endif()

# Colour weights, folded to grey, go on as a network of one channel, also from a checkpoint.
train(${data} --grey --init "${OUT}/long.safetensors" --crop 32 --batch 2 --warm-up 1 --steps 3 --stop-after 2
      --checkpoint "${OUT}/grey" --out "${OUT}/grey.safetensors")
train(${data} --resume "${OUT}/grey" --checkpoint "${OUT}/grey" --out "${OUT}/grey.safetensors")
train(--evaluate --grey --weights "${OUT}/grey.safetensors" --validation "${PHOTOGRAPH}" --levels 50)
if(NOT output MATCHES "noise +50.00\n[^ ]+ +([0-9.]+)\n")
  message(FATAL_ERROR "not the expected table: ${output}")
endif()
