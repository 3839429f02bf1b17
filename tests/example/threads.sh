#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# threads.sh CASE PROGRAM FOLDER LAUNCHER: threads of a run on part of the machine. Exit code 77: it cannot run here.
set -u
case_name=$1 program=$2 folder=$3 launcher=$4
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1
unset OMP_NUM_THREADS SLURM_CPUS_PER_TASK

fail() {
  echo "FAILED: $*"
  exit 1
}
if ! command -v taskset >/dev/null; then
  echo "skipped: no taskset here"
  exit 77
fi
first=$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')

# run COMMAND...: a small run of the program into out.
run() { "$@" --image-size 64 --num-operators 2 --iterations 1 --denoiser tv --quiet --no-report --out out || fail "$*"; }
# threads NUMBER: what summary.json says of every rank.
threads() {
  local seen
  seen=$(grep -oE '"threads": *[0-9]+' out/summary.json | sort -u | tr -d '\n')
  [[ $seen =~ ^\"threads\":\ *$1$ ]] || fail "threads are '$seen', expected $1"
}

case $case_name in
bound)
  run taskset -c "$first" "$program"
  threads 1
  grep -qE '"cores": *1,' out/summary.json || fail "the report counts other cores than the one to be used"
  ;;
told)
  export OMP_NUM_THREADS=1
  run "$program"
  threads 1
  export OMP_NUM_THREADS=3
  run "$program"
  threads 3
  run "$program" --threads 2
  threads 2
  ;;
grid)
  printf '%s\n' 'dataset:' '  - highres_color_image: {image_size: 64}' 'solver:' \
    '  - PnP: {slurm_ntasks_per_node: [1, 2], n_iter: 1}' >grid.yml
  taskset -c "$first" "$program" --config grid.yml --dry-run >output || fail "the grid"
  grep -q "more ranks than the 1 core" output || fail "no word of 2 ranks on 1 core"
  OMP_NUM_THREADS=5 "$program" --config grid.yml --dry-run >output || fail "the grid"
  [[ $(grep -c -- '--threads 5' output) == 2 ]] || fail "rows do not have the 5 threads that OMP_NUM_THREADS asks for"
  ;;
ranks)
  run taskset -c "$first" "$launcher" -n 2 "$program"
  threads 1
  ;;
*) fail "no case $case_name" ;;
esac
