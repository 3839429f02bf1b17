#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# single_run.sh CASE PROGRAM RAMP FOLDER LAUNCHER: one test of single runs, in a folder of its own. RAMP is write_ramp.
# Exit code 77: it cannot run here.
set -u
case_name=$1 program=$2 ramp=$3 folder=$4 launcher=$5
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1

fail() {
  echo "FAILED: $*"
  [[ -r output ]] && sed "s|^|output: |" output
  exit 1
}
# run CODE COMMAND...: what it prints goes to the file output, its exit code must be CODE.
run() {
  local expected=$1 code
  shift
  "$@" >output 2>&1
  code=$?
  ((code == expected)) || fail "exit code $code, expected $expected: $*"
}
has() { grep -qF -- "$1" "${2:-output}" || fail "'$1' is not in ${2:-output}"; }
once() { (($(grep -cF -- "$1" output) == 1)) || fail "'$1' is not said exactly once"; }
small=("$program" --image-size 48 --num-operators 2 --iterations 2 --denoiser tv --threads 1 --quiet --no-report --out out)
data=("$program" --num-operators 2 --iterations 2 --denoiser tv --threads 1 --quiet --no-report --out out)

case $case_name in
not_finite)
  # Data: refused when read, with file and index, for every solver and on every rank.
  "$ramp" good.npy 0 1 3x32x32
  "$ramp" nan.npy 0 1 2x3x32x32 1x2x5x7 nan
  "$ramp" inf.npy 0 1 3x32x32 1x4x4 inf
  for method in "--solver dpir" "--solver pnp" "--prior red"; do
    run 1 "${data[@]}" --truth good.npy --measurements nan.npy $method
    once "highres_deblurring: --measurements nan.npy: the file has 1 of 6144 values that are not finite, the first is nan at [1, 2, 5, 7]"
  done
  run 1 "$launcher" -n 2 "${data[@]}" --truth good.npy --measurements nan.npy
  once "the first is nan at [1, 2, 5, 7]"
  run 1 "${data[@]}" --truth inf.npy
  has "--truth inf.npy: the file has 1 of 3072 values that are not finite, the first is inf at [1, 4, 4]"
  # A step that overflows at once.
  for ranks in 1 2; do
    run 1 "$launcher" -n $ranks "$program" --image-size 48 --num-operators 2 --threads 1 --quiet --out out --step-size 1e38
    once "highres_deblurring: the first iteration is not finite: the step is too large, 1e+38"
    has "2 / ||A||^2 with ||A||^2 = 2"
  done
  [[ ! -e out/summary.json ]] || fail "a run without a result left one"
  ;;
ranges)
  "$ramp" bytes.npy 0 255 3x32x32
  "$ramp" centred.npy -1 1 3x32x32
  "$ramp" beyond.npy 0 1.2 3x32x32
  "$ramp" dark.npy 0 0.0625 3x32x32
  "$ramp" good.npy 0 1 3x32x32
  "$ramp" signed.npy -0.2 1.2 2x3x32x32
  run 1 "${data[@]}" --truth bytes.npy
  has "intensities reach from 0 to 255, expected 0 to 1; divide 8 bits by 255"
  run 1 "${data[@]}" --truth centred.npy
  has "intensities reach from -1 to 1, expected 0 to 1; map -1 to 1 by (x + 1) / 2"
  run 0 "${data[@]}" --truth beyond.npy
  once "warning: --truth beyond.npy: intensities reach from 0 to 1.2, expected 0 to 1"
  has "intensities reach from 0 to 1.2" out/summary.json
  run 0 "$launcher" -n 2 "${data[@]}" --truth dark.npy
  once "warning: --truth dark.npy: intensities reach from 0 to 0.0625 of 1 only"
  # The default takes measurements for clipped.
  run 0 "${data[@]}" --truth good.npy --measurements signed.npy
  once "--fidelity l2 fits them better"
  run 0 "${data[@]}" --truth good.npy --measurements signed.npy --fidelity l2
  [[ ! -s output ]] || fail "noise that was not clipped is nothing to warn about"
  ;;
step)
  run 0 "${small[@]}" --step-size 1.1
  once "warning: the step 1.1 is longer than 1, which is 2 / ||A||^2 with ||A||^2 = 2"
  has "the step 1.1 is longer than 1" out/summary.json
  run 0 "${small[@]}" --step-size 0.9
  [[ ! -s output ]] || fail "a good step is nothing to warn about"
  run 0 "$launcher" -n 2 "${small[@]}" --prior red --red-weight 8 --step-size 0.3
  once "warning: the step 0.3 is longer than 0.2, which is 2 / (||A||^2 + --red-weight) with ||A||^2 = 2"
  run 0 "$program" --preset published --image-size 48 --num-operators 24 --denoiser tv --quiet --no-report --out out
  once "warning: the step 0.1 is longer than 0.08333"
  ;;
other_blurs)
  # The blurs' widths follow from --image-size, also where the truth brings its own.
  "$ramp" truth.npy 0 1 3x32x48
  run 0 "${data[@]}" --truth truth.npy --image-size 48 --checkpoint-every 1
  run 1 "${data[@]}" --truth truth.npy --image-size 64 --resume
  has "belongs to another run: image_size was 48 and is 64"
  ;;
inputs)
  # summary.json tells the contents of what was read.
  "$ramp" truth.npy 0 1 3x32x48
  run 0 "${data[@]}" --truth truth.npy
  grep -A1 '"inputs"' out/summary.json >first
  grep -qE '"truth": "[0-9a-f]{16}"' first || fail "no digest of the truth: $(cat first)"
  "$ramp" truth.npy 0 1 3x32x48 0x0x0 0.5
  run 0 "${data[@]}" --truth truth.npy
  if grep -A1 '"inputs"' out/summary.json | cmp -s - first; then fail "another truth has the same digest"; fi
  ;;
small_images)
  # Too small for SSIM: a result without it.
  "$ramp" thin.npy 0 1 3x4x60
  run 0 "${data[@]}" --truth thin.npy
  [[ $(tail -n 1 out/metrics.csv | cut -d, -f2) =~ ^[0-9] ]] || fail "no PSNR"
  [[ -z $(tail -n 1 out/metrics.csv | cut -d, -f3) ]] || fail "an SSIM of an image of 4 rows"
  run 0 "$program" --image-size 8 --num-operators 1 --iterations 1 --threads 1 --out out
  grep -q '^PSNR [0-9.]* dB$' output || fail "the outcome does not speak of PSNR alone"
  [[ -s out/report.html ]] || fail "no report"
  ;;
depth)
  # 16 bits in, 16 bits out; 8 in, 8 out. Dark pictures are told.
  bits() { od -An -tu1 -j24 -N1 "out/$1" | tr -d ' '; }
  "$ramp" deep.png 0 1 3x48x64
  run 0 "${data[@]}" --image-size 64 --image deep.png
  for picture in reconstruction truth; do
    [[ $(bits $picture.png) == 16 ]] || fail "$picture.png has $(bits $picture.png) bits"
  done
  [[ ! -s output ]] || fail "nothing is to be told of it"
  run 0 "${small[@]}"
  [[ $(bits reconstruction.png) == 8 ]] || fail "a scene has $(bits reconstruction.png) bits"
  "$ramp" dark.png 0 0.0625 3x48x64
  run 0 "${data[@]}" --image-size 64 --image dark.png
  once "warning: --image dark.png: intensities reach from 0 to 0.0625"
  run 1 "${data[@]}" --image deep.png --page 2
  has "deep.png"
  ;;
one_at_a_time)
  # The second run into a folder ends with a sentence; the first one is not disturbed.
  "$program" --image-size 64 --num-operators 2 --iterations 100000 --denoiser tv --solver pnp --threads 1 --quiet --no-report \
    --checkpoint-every 1 --out out >first.log 2>&1 &
  first=$!
  for ((i = 0; i < 600; ++i)); do
    [[ -e out/checkpoint.safetensors ]] && break
    sleep 0.05
  done
  for ranks in 1 2; do
    run 1 "$launcher" -n $ranks "${small[@]}"
    once "highres_deblurring: out: another run or grid is at work in this folder"
  done
  kill -TERM $first
  wait $first
  (($? == 75)) || fail "the first run ended otherwise: $(cat first.log)"
  run 0 "${small[@]}"
  ;;
full_output)
  [[ -e /dev/full ]] || exit 77
  for arguments in --version --help "--plan --image-size 256 --ranks 1 --denoiser tv" \
    "--image-size 48 --num-operators 1 --iterations 1 --denoiser tv --no-report --out out"; do
    "$program" $arguments >/dev/full 2>output
    code=$?
    ((code == 1)) || fail "exit code $code, expected 1: $arguments >/dev/full"
    once "No space left on device"
  done
  run 1 "$program" --image-size 48 --out /dev/full
  has "--out /dev/full: cannot be created"
  ;;
memory)
  # Before anything large is made, with what helps.
  (ulimit -v 4000000 && run 1 "$program" --image-size 30000 --out out) || exit 1
  has "not enough memory: a rank needs about"
  has "--image-size"
  [[ ! -e out/summary.json ]] || fail "a result"
  ;;
other_ranks)
  # Ranks that were started with different options, inputs or intentions: named once, on every rank an end.
  two=("$launcher" -n 1 "${small[@]}" : -n 1 "${small[@]}")
  run 1 "${two[@]}" --seed 43
  once "highres_deblurring: --seed is 42 on rank 0 and 43 on rank 1, expected the same on all ranks"
  run 1 "${two[@]}" --noise-level 0.2
  once "--noise-level is 0.1 on rank 0 and 0.2 on rank 1"
  run 1 "${two[@]}" --init-method adjoint
  once "--init-method is zeros on rank 0 and adjoint on rank 1"
  for mode in "--report out" --plan "--config grid.yml"; do
    run 1 timeout 60 "${two[@]}" $mode
    once "${mode%% *} is not given on rank 0 and"
  done
  mkdir one other
  "$ramp" one/truth.npy 0 1 3x32x32
  "$ramp" other/truth.npy 0.1 1 3x32x32
  apart=("$launcher" -n 1 -wdir "$folder/one" "${data[@]}" --truth truth.npy : -n 1 -wdir "$folder/other" "${data[@]}" --truth truth.npy)
  run 1 "${apart[@]}"
  once "the digest of the file of --truth is"
  rm other/truth.npy
  run 1 "${apart[@]}"
  once "truth.npy: cannot open"
  cp one/truth.npy other/truth.npy
  run 0 "${apart[@]}"
  ;;
*) fail "no such case: $case_name" ;;
esac
