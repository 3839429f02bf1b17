#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Restores a large photograph from eight blurred ones: installs what is missing, builds, runs, says where the results
# are. Arguments go to the program: bash examples/run.sh --image-size 512 --iterations 5. Without any, the best method;
# --preset published is the published benchmark.
# (--help lists them; without --image a photograph of Debian's is used, without --out results/highres_deblurring).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/setup.sh"

arguments=()
has_image=false
out=$root/results/highres_deblurring
has_out=false
previous=
for argument in "$@"; do
  case $argument in
    --image | --image=* | --truth | --truth=* | --help | -h | --version) has_image=true ;;
  esac
  case $argument in
    --out=*) out=${argument#--out=} has_out=true ;;
    --out) has_out=true ;;
  esac
  if [[ $previous == --out ]]; then out=$argument; fi
  previous=$argument
done

started=$SECONDS
install_packages "${build_packages[@]}" || fail "the system packages could not be installed"
install_libtorch
install_plotly
if ! $has_image; then
  fetch_photo
  if [[ -n $photo ]]; then arguments+=(--image "$photo"); fi
fi
if ! $has_out; then arguments+=(--out "$out"); fi

mkdir -p "$root/build"
configure release
build release highres_deblurring
say "ready after $((SECONDS - started)) s; running: highres_deblurring ${arguments[*]} $*"
"$root/build/release/bin/highres_deblurring" "${arguments[@]}" "$@"
if [[ -r $out/summary.json ]]; then
  say "results in $out: reconstruction.png, preview.png, metrics.csv, summary.json"
  if [[ -r $out/report.html ]]; then say "open in a browser: $out/report.html"; fi
fi
