#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# boxes.sh CASE PROGRAM COMPARE RAMP FOLDER LAUNCHER: one test of --distribute-image, in a folder of its own. COMPARE is
# compare_npy, RAMP write_ramp.
set -u
case_name=$1 program=$2 compare=$3 ramp=$4 folder=$5 launcher=$6
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1

fail() {
  echo "FAILED: $*"
  [[ -r output ]] && sed "s|^|output: |" output
  exit 1
}
iterations=3
options=(--num-operators 3 --threads 1 --save-npy --no-report)
# run RANKS OUT ARGUMENTS
run() {
  local ranks=$1 out=$2
  shift 2
  "$launcher" -n "$ranks" "$program" "${options[@]}" --iterations $iterations --out "$out" "$@" >output 2>&1 || fail "exit code $?: $*"
}
# equal TOLERANCE ARGUMENTS: on boxes of 1, 2 and 4 ranks what one rank that has the image whole restores.
equal() {
  local tolerance=$1 ranks file
  shift
  run 1 whole "$@"
  for ranks in 1 2 4; do
    run $ranks boxes --distribute-image "$@"
    for file in x truth measurements; do
      "$compare" boxes/$file.npy whole/$file.npy "$tolerance" >>output || fail "$file.npy on $ranks ranks: $*"
    done
    [[ $(tail -n 1 boxes/metrics.csv | cut -d, -f2-4 | cut -c1-6) == $(tail -n 1 whole/metrics.csv | cut -d, -f2-4 | cut -c1-6) ]] ||
      fail "metrics on $ranks ranks: $*"
  done
}
# refused TEXT ARGUMENTS
refused() {
  local text=$1
  shift
  "$launcher" -n 2 "$program" "${options[@]}" --iterations $iterations --image-size 48 --distribute-image --out refused "$@" >output 2>&1 && fail "not refused: $*"
  (($(grep -cF -- "$text" output) == 1)) || fail "'$text' is not said exactly once: $*"
}

case $case_name in
data)
  # The data depend on neither ranks nor cuts, to the bit.
  iterations=1
  for arguments in "--image-size 96" "--image-size 96 --noise poisson --border reflect" \
    "--image-size 96 --problem multiframe_superres --noise salt_and_pepper" "--truth ramp.npy --border valid --solver pnp"; do
    "$ramp" ramp.npy 0 1 3x46x75
    for ranks in 1 3; do run $ranks $ranks --distribute-image --denoiser tv $arguments; done
    for file in truth measurements; do cmp 1/$file.npy 3/$file.npy || fail "$file.npy of 1 and 3 ranks: $arguments"; done
  done
  ;;
layers)
  equal 1e-5 --image-size 96
  equal 1e-12 --image-size 64 --solver pnp --dtype float64
  # What is whole on every rank may be denoised so too.
  for ranks in 1 2 4; do
    run $ranks gathered --denoiser-halo layers --image-size 64 --solver pnp --dtype float64
    "$compare" gathered/x.npy whole/x.npy 1e-12 >>output || fail "gathered on $ranks ranks"
  done
  grep -q "drunet layer by layer" gathered/summary.json || fail "not layer by layer"
  ;;
layers_and_borders)
  equal 1e-5 --image-size 100 --solver pnp --border reflect --step-size 0.5
  equal 1e-5 --image-size 96 --prior red --denoiser-halo layers
  ;;
context)
  tiles=(--distribute-denoiser --tiling fixed --patch-size 32 --overlap 8)
  "$ramp" ramp.png 0 1 3x46x75
  run 1 whole --image-size 75 --image ramp.png --solver admm --prior pnp "${tiles[@]}"
  for ranks in 1 2 4; do
    run $ranks boxes --distribute-image --denoiser-halo context --image-size 75 --image ramp.png --solver admm --prior pnp "${tiles[@]:1}"
    for file in x truth measurements; do
      "$compare" boxes/$file.npy whole/$file.npy 1e-5 >>output || fail "$file.npy on $ranks ranks"
    done
  done
  ;;
photographs)
  # Of a TIFF file at its own size each rank reads its window; at another one the first rank reads all.
  iterations=1
  "$ramp" ramp.tif 0 1 3x46x75
  for size in 75 60; do equal 1e-5 --image ramp.tif --image-size $size --solver pnp --denoiser tv; done
  ;;
priors)
  equal 1e-5 --image-size 96 --prior ridge
  equal 1e-5 --image-size 96 --prior wavelet
  equal 1e-12 --image-size 64 --prior wavelet --solver admm --dtype float64
  equal 1e-12 --image-size 64 --prior tv --solver proximal_gradient --dtype float64
  equal 1e-12 --image-size 64 --prior tv --solver admm --dtype float64
  equal 1e-5 --image-size 96 --solver mlem
  # The steps of primal_dual come from norms, which are estimated on boxes.
  iterations=100
  variation=(--image-size 64 --noise salt_and_pepper)
  run 1 whole "${variation[@]}"
  run 2 boxes --distribute-image "${variation[@]}"
  "$compare" boxes/x.npy whole/x.npy 1e-3 >>output || fail "x.npy by primal_dual"
  ;;
measured)
  # Measurements of a file, each rank its part of it.
  run 1 first --image-size 96 --denoiser tv
  data=(--truth first/truth.npy --measurements first/measurements.npy --solver pnp)
  equal 1e-5 "${data[@]}"
  # The default takes measurements for clipped; those of the second rank's box are not.
  "$ramp" good.npy 0 1 3x32x64
  "$ramp" beyond.npy 0 1.2 3x3x32x64
  run 2 beyond --distribute-image --truth good.npy --measurements beyond.npy
  (($(grep -cF -- "warning: --measurements beyond.npy: some intensities lie outside 0 to 1" output) == 1)) ||
    fail "no warning, or several, of measurements that were not clipped"
  run 2 beyond --distribute-image --truth good.npy --measurements beyond.npy --fidelity l2
  ! grep -qF "warning" output || fail "noise that was not clipped is nothing to warn about"
  ;;
pictures)
  # Larger than 1024 pixels: reduced, and told.
  iterations=1
  run 2 boxes --distribute-image --image-size 1100 --solver pnp --denoiser tv
  grep -qF "image of 1100x687 pixels in 1 x 2 boxes, the largest 550x687" output || fail "the boxes are not told"
  size() { od -An -tu1 -j16 -N8 "$1" | awk '{ print ($3 * 256 + $4) "x" ($7 * 256 + $8) }'; }
  for picture in reconstruction truth measurement_1; do
    [[ $(size boxes/$picture.png) == 550x344 ]] || fail "$picture.png is $(size boxes/$picture.png)"
  done
  [[ -s boxes/preview.png ]] || fail "no preview"
  grep -q '"owner":1' boxes/plan.json || fail "no plan"
  grep -A5 '"shape"' boxes/summary.json | tr -d ' \n' | grep -qF '[1,3,687,1100]' || fail "the shape is not that of the image"
  ;;
refuses)
  refused "works with --tiling auto, fixed and exact" --tiling deepinv
  refused "leave out --distribute-physics" --distribute-physics
  refused "--denoiser-halo layers: is for --denoiser drunet and dncnn" --denoiser tv --denoiser-halo layers
  refused "/no/such.npy: cannot open" --truth /no/such.npy
  refused "/no/such.png: cannot open" --image /no/such.png
  "$ramp" nan.npy 0 1 3x32x32 1x20x4 nan
  refused "are not finite" --truth nan.npy
  ;;
*) fail "no such case: $case_name" ;;
esac
