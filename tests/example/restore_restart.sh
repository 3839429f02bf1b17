#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# restore_restart.sh PROGRAM DATA FOLDER LAUNCHER RANKS: tessera_restore killed after a checkpoint, with kill -9 of all ranks, and
# resumed: the same bits as in one piece, its weight not looked for again. DATA: tests/data/restore.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/ranks_of.sh"
program=$1 data=$2 folder=$3 launcher=$4 ranks=$5
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1

fail() {
  echo "FAILED: $*"
  tail -n 20 output.*
  exit 1
}
has() { grep -qF -- "$1" "$2" || fail "'$1' is not in $2"; }
cat >c.yml <<YAML
measurements: [$data/counts.fits, $data/counts.fits]
operator: {blur: {kernel: $data/psf.tif, normalise: true}}
noise: {model: poisson, gain: 2, background: 40}
solver: {iterations: 1500}
output: whole.fits
YAML
# run NAME ARGUMENTS: what is printed goes to output.NAME.
run() {
  local name=$1
  shift
  "$launcher" -n "$ranks" "$program" --config c.yml --threads 1 "$@" >"output.$name" 2>&1
}

run whole || fail "exit code $? of the run of one piece"
run cut --output cut.fits --checkpoint-every 1 &
job=$!
for ((i = 0; i < 6000; ++i)); do
  [[ -e cut.fits.checkpoint.safetensors ]] && break
  kill -0 "$job" 2>/dev/null || fail "the job ended before it wrote a checkpoint"
  sleep 0.01
done
mapfile -t processes < <(ranks_of cut.fits)
((${#processes[@]} == ranks)) || fail "${#processes[@]} ranks, expected $ranks"
kill -KILL "${processes[@]}" || fail "no rank was left to kill"
wait "$job" 2>/dev/null
[[ -e cut.fits ]] && fail "the run ended before it was killed"
run resumed --output cut.fits --resume || fail "exit code $? of the resumed run"
has "Resumed after iteration" output.resumed
grep -qF "trials" output.resumed && fail "the weight was looked for again"
has "trials" output.whole
cmp whole.fits cut.fits || fail "the two runs differ"

# Another problem is refused, and the checkpoint stays.
cp cut.fits.checkpoint.safetensors before
sed -i 's/background: 40/background: 41/' c.yml
run refused --output cut.fits --resume && fail "another problem was resumed"
has "c.yml (contents) was" output.refused
cmp before cut.fits.checkpoint.safetensors || fail "the checkpoint was touched"
