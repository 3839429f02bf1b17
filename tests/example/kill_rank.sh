#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Kills one rank of a running restoration and checks that the job ends by itself, with a non-zero exit code, within 10
# seconds, and leaves nothing running.
#   kill_rank.sh PROGRAM FOLDER CULPRIT LAUNCHER...
set -u
source "$(dirname "${BASH_SOURCE[0]}")/ranks_of.sh"
program=$1 folder=$2 culprit=$3
shift 3
rm -rf "$folder"
mkdir -p "$folder"

of_job() { ranks_of "$folder/results"; }
# The process of rank $1, by what the launcher tells it.
of_rank() {
  local process
  for process in $(of_job); do
    tr '\0' '\n' 2>/dev/null <"/proc/$process/environ" | grep -qxE "(PMI_RANK|PMIX_RANK|OMPI_COMM_WORLD_RANK)=$1" && echo "$process"
  done
}
fail() {
  echo "$*"
  cat "$folder/log"
  kill -9 "$launcher" $(of_job) 2>/dev/null
  exit 1
}

"$@" "$program" --image-size 256 --num-operators 2 --iterations 1000000 --threads 1 --no-report --out "$folder/results" \
  >"$folder/log" 2>&1 &
launcher=$!

# Until it iterates.
for ((i = 0; i < 600; ++i)); do
  grep -q 'iteration [0-9]' "$folder/log" && break
  kill -0 "$launcher" 2>/dev/null || fail "the job ended before a rank was killed"
  sleep 0.1
done
grep -q 'iteration [0-9]' "$folder/log" || fail "the job never began to iterate"
sleep 0.5
victim=$(of_rank "$culprit")
[[ $victim =~ ^[0-9]+$ ]] || fail "expected one process of rank $culprit, found '$victim'"

killed=$SECONDS
kill -9 "$victim"
while kill -0 "$launcher" 2>/dev/null; do
  ((SECONDS - killed > 10)) && fail "the job went on for 10 s after rank $culprit was killed"
  sleep 0.1
done
wait "$launcher"
code=$?
if ((code == 0)); then
  # mpiexec of MPICH 4.2.0 and 4.2.1 often loses the code of a job that it ended, of any program.
  "$1" --version 2>/dev/null | grep -qE '^ *Version: +4\.2\.[01]$' || fail "the job ended with exit code 0"
fi
for ((i = 0; i < 50; ++i)); do
  [[ -z $(of_job) ]] && break
  ((SECONDS - killed > 10)) && fail "left running: $(of_job)"
  sleep 0.1
done
echo "the job ended $((SECONDS - killed)) s after rank $culprit was killed, with exit code $code"
