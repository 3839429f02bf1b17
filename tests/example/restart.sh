#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# restart.sh CASE PROGRAM COMPARE FOLDER LAUNCHER: one test of checkpoints, in a folder of its own; of boxes (boxes.CASE)
# with --distribute-image, duals.CASE by primal_dual, layers.CASE by dpir with a network layer by layer. COMPARE is
# compare_npy. Exit code 77: it cannot run here.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/ranks_of.sh"
case_name=$1 program=$2 compare=$3 folder=$4 launcher=$5
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1

fail() {
  echo "FAILED: $*"
  for file in output.*; do [[ -r $file ]] && sed "s|^|$file: |" "$file"; done
  exit 1
}
method=pnp
level=(--denoiser-sigma 0.03)  # a constant one
tolerance=1e-6
sharing=(--distribute-physics --distribute-denoiser)
denoiser=(--denoiser tv --tiling fixed --patch-size 32 --overlap 8)
[[ $case_name == boxes.* ]] && sharing=(--distribute-image)
case ${case_name#boxes.} in
duals.*)
  method=primal_dual level=() tolerance=1e-4  # its steps come from norms, which ranks estimate
  sharing=("${sharing[@]:0:1}") denoiser=(--noise salt_and_pepper)
  ;;
layers.*) method=dpir denoiser=(--denoiser-halo layers) ;;
esac
options=(--image-size 96 --num-operators 3 --threads 1 --save-npy --no-report "${sharing[@]}")
# run RANKS OUT ARGUMENTS: the program's output goes to output.OUT; gives its exit code.
run() {
  local ranks=$1 out=$2
  shift 2
  "$launcher" -n "$ranks" "$program" "${options[@]}" "${denoiser[@]}" --solver "$method" --out "$out" "$@" >"output.${out//\//.}" 2>&1
}
# start RANKS OUT ARGUMENTS: the same in the background; $job is the launcher.
start() {
  local ranks=$1 out=$2
  shift 2
  touch started
  "$launcher" -n "$ranks" "$program" "${options[@]}" "${denoiser[@]}" --solver "$method" --out "$out" "$@" >"output.${out//\//.}" 2>&1 &
  job=$!
}
# wait_for FILE: until the job has written it.
wait_for() {
  local i
  for ((i = 0; i < 3000; ++i)); do
    [[ $1 -nt started ]] && return 0
    kill -0 "$job" 2>/dev/null || fail "the job ended before it wrote $1"
    sleep 0.01
  done
  fail "$1 was not written within 30 s"
}
# kill_ranks OUT: with SIGKILL, all of them; false if there are none any more.
kill_ranks() {
  local ranks
  mapfile -t ranks < <(ranks_of "$1")
  ((${#ranks[@]} > 0)) && kill -KILL "${ranks[@]}" 2>/dev/null
  local killed=$?
  wait "$job" 2>/dev/null
  return $killed
}
same_bits() { cmp -s "$1/x.npy" "$2/x.npy" || fail "x.npy of $1 and $2 differ"; }
# All columns of metrics.csv that no clock and no memory decide.
columns() { awk -F, 'NR == 1 { for (i = 1; i <= NF; ++i) if ($i ~ /^(repetition|iteration|psnr|ssim|mse|objective|relative_change)$/) keep[i] }
                     { for (i = 1; i <= NF; ++i) if (i in keep) printf "%s,", $i; print "" }' "$1/metrics.csv"; }
same_rows() { [[ $(columns "$1") == "$(columns "$2")" ]] || fail "metrics.csv of $1 and $2 differ"; }
has() { grep -qF -- "$1" "$2" || fail "'$1' is not in $2"; }

kind=${case_name#boxes.}
kind=${kind#duals.}
case ${kind#layers.} in
killed.*)
  # Killed after a checkpoint, with kill -9 of all ranks, and resumed: the same bits, and metrics.csv has every row.
  ranks=${case_name##*.}
  iterations=600  # so many that none of these runs ends before it is found; on boxes they take longer
  [[ $case_name == boxes.* ]] && iterations=150
  start "$ranks" cut --iterations $iterations --checkpoint-every 3
  wait_for cut/checkpoint.safetensors
  kill_ranks cut || fail "no rank was left to kill"
  [[ -e cut/x.npy ]] && fail "the run ended before it was killed"
  run "$ranks" cut --iterations $iterations --resume || fail "exit code $? of the resumed run"
  has "Resumed after iteration" output.cut
  run "$ranks" whole --iterations $iterations --quiet || fail "exit code $? of the run of one piece"
  same_bits cut whole
  same_rows cut whole
  [[ $(ls cut | grep -c '\.tmp$') == 0 ]] || fail "temporary files are left"
  ;;
any_moment)
  # Killed at many moments, most of them during a write (one after each iteration): always resumable.
  iterations=200
  for ((kills = 0; kills < 6; ++kills)); do
    start 1 cut --iterations $iterations --checkpoint-every 1 --resume
    wait_for cut/checkpoint.safetensors
    sleep "0.0$((RANDOM % 10))"
    kill_ranks cut || break
    [[ -e cut/x.npy ]] && break
    has_error=$(grep -c "highres_deblurring: " output.cut)
    ((has_error == 0)) || fail "run $kills said something is wrong"
  done
  ((kills > 2)) || fail "the run was over after $kills kills"
  run 1 cut --iterations $iterations --resume || fail "exit code $? of the last run"
  run 1 whole --iterations $iterations --quiet || fail "exit code $?"
  same_bits cut whole
  same_rows cut whole
  ;;
signal.*)
  # SIGTERM or SIGUSR1 to one rank only: all stop after the iteration, exit with 75, and go on with the same bits.
  signal=${case_name##*.}
  start 2 cut --iterations 600 --checkpoint-every 7
  wait_for cut/checkpoint.safetensors
  kill "-$signal" "$(ranks_of cut | tail -n 1)" || fail "no rank to signal"
  wait "$job"
  code=$?
  ((code == 75)) || fail "exit code $code, expected 75"
  stopped=$(grep -o "stopped by a signal after iteration [0-9]*" output.cut | grep -o '[0-9]*$')
  [[ -e cut/x.npy ]] && fail "the run was not interrupted"
  run 2 cut --iterations 600 --resume || fail "exit code $? of the resumed run"
  has "Resumed after iteration $stopped from" output.cut
  run 2 whole --iterations 600 --quiet || fail "exit code $?"
  same_bits cut whole
  same_rows cut whole
  ;;
other_ranks)
  # Half on 1 rank, half on 3, and the other way round: equal to rounding. More iterations than the
  # first run was to take are for a constant level.
  run 1 whole "${level[@]}" --iterations 20 --quiet || fail "exit code $?"
  for order in "1 3" "3 1"; do
    read -r first second <<<"$order"
    run "$first" "$first.$second" "${level[@]}" --iterations 10 --checkpoint-every 10 || fail "exit code $?"
    run "$second" "$first.$second" "${level[@]}" --iterations 20 --resume || fail "exit code $? on $second ranks"
    has "It was written by $first rank" "output.$first.$second"
    "$compare" "$first.$second/x.npy" whole/x.npy $tolerance || fail "x.npy differs"
  done
  ;;
resumed)
  # Halos that other cases have not: stopped after two iterations, and resumed with the same bits.
  resumes() {
    run 2 cut "${level[@]}" --iterations 2 --checkpoint-every 2 "$@" || fail "exit code $?: $*"
    run 2 cut "${level[@]}" --iterations 4 --resume "$@" || fail "exit code $? of the resumed run: $*"
    has "Resumed after iteration 2" output.cut
    run 2 whole "${level[@]}" --iterations 4 --quiet "$@" || fail "exit code $? of the run of one piece: $*"
    same_bits cut whole
    same_rows cut whole
    rm -r cut whole
  }
  resumes --problem multiframe_superres
  resumes --border valid
  denoiser=(--denoiser-halo layers)
  resumes
  resumes --problem multiframe_superres --border reflect
  resumes --border valid
  ;;
refuses)
  # Without a checkpoint: anew. Another problem: refused, naming the options; the checkpoint stays.
  run 1 out --iterations 4 --resume || fail "exit code $?"
  has "There is no out/checkpoint.safetensors: the run begins anew" output.out
  cp out/checkpoint.safetensors before
  for ranks in 1 2; do
    run $ranks out --iterations 4 --resume --noise-level 0.2 --init-method zeros && fail "another problem was resumed"
    has "init_method was adjoint and is zeros, noise_level was 0.1 and is 0.2" output.out
    [[ $(grep -c "belongs to another run" output.out) == 1 ]] || fail "not said once"
    head -c 2000 before >out/checkpoint.safetensors
    run $ranks out --iterations 4 --resume && fail "a truncated checkpoint was read"
    has "truncated" output.out
    has "remove it to start anew" output.out
    cp before out/checkpoint.safetensors
  done
  run 1 out --iterations 5 --resume && fail "levels that depend on the number of iterations went on"
  has "iterations was 4 and is 5" output.out
  method=dpir run 1 out --iterations 4 --resume && fail "another solver went on"
  has "solver was pnp and is dpir" output.out
  run 2 out --iterations 4 --resume --no-distribute-physics --no-distribute-denoiser --tiling auto && fail "ranks that share nothing"
  cmp -s before out/checkpoint.safetensors || fail "the checkpoint was touched"
  ;;
full_disk)
  # A small file system that fills up: an error on both ranks, and the older checkpoint stays good.
  mkdir disk
  mount -t tmpfs -o size=400k tmpfs disk 2>/dev/null || { echo "no permission to mount a tmpfs"; exit 77; }
  trap 'umount "$folder/disk"' EXIT
  run 2 disk/out --denoiser-sigma 0.03 --iterations 4 --checkpoint-every 2
  cp disk/out/checkpoint.safetensors before || fail "no checkpoint before the disk was full"
  head -c 1M /dev/zero >disk/ballast 2>/dev/null
  run 2 disk/out --denoiser-sigma 0.03 --iterations 8 --checkpoint-every 2 --resume && fail "a full disk was no error"
  grep -q "No space left on device" output.disk.out || fail "the disk is not named as the cause"
  cmp -s before disk/out/checkpoint.safetensors || fail "the older checkpoint was touched"
  ;;
*) fail "no such case: $case_name" ;;
esac
