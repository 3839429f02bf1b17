#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Everything that needs a GPU: builds for CUDA, runs the tests with label gpu, the example on the device over NCCL (on one
# card, and on all of them), and DRUNet in each precision beside LibTorch. Needs no network; compilers and libraries as in
# docs/how_to/install.md, LibTorch 2.11 or newer for CUDA with NVIDIA's libraries, from TORCH_DIR or the package torch of python3.
#   bash tests/gpu/run.sh                    results in build/gpu/figures: figures.json, one log for each step
#   bash tests/gpu/run.sh --dry-run          prints the commands, runs none; --gpus N: as if there were N cards
# Exit code 0: all is right; 77: there is no GPU here; 1: something failed, as said at the end.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build/gpu
out=$build/figures
bin=$build/bin
dry=false
gpus=

while (($# > 0)); do
  case $1 in
    --dry-run) dry=true ;;
    --gpus)
      gpus=${2:-}
      if ! [[ $gpus =~ ^[1-9][0-9]?$ ]]; then echo "tests/gpu/run.sh: --gpus: expected 1 to 99" >&2; exit 2; fi
      shift
      ;;
    *) echo "tests/gpu/run.sh: $1: expected --dry-run or --gpus N" >&2; exit 2 ;;
  esac
  shift
done

# Cards that CUDA programs see.
visible_gpus() {
  local listed
  if [[ -n ${CUDA_VISIBLE_DEVICES+set} ]]; then
    tr ',' '\n' <<<"$CUDA_VISIBLE_DEVICES" | grep -c '[^ ]'
    return
  fi
  listed=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU ')
  echo "${listed:-0}"
}

if ! $dry; then
  found=0
  if nvidia-smi -L 2>/dev/null | grep -q '^GPU '; then found=$(visible_gpus); fi
  if ((found == 0)); then
    echo "tests/gpu/run.sh: no GPU here: nvidia-smi lists none, or CUDA_VISIBLE_DEVICES hides them"
    exit 77
  fi
  if [[ -z $gpus ]] || ((gpus > found)); then gpus=$found; fi
fi
gpus=${gpus:-1}

failed=()
started=$SECONDS
# step NAME SECONDS COMMAND...: its output goes to NAME.log; it is ended after so many seconds.
step() {
  local name=$1 limit=$2 begin=$SECONDS code
  shift 2
  if $dry; then
    echo "$name: $*"
    return 0
  fi
  timeout "$limit" "$@" >"$out/$name.log" 2>"$out/$name.errors"
  code=$?
  echo "==> $name: exit code $code, $((SECONDS - begin)) s"
  if ((code == 0)); then return 0; fi
  failed+=("$name")
  tail -n 5 "$out/$name.log" "$out/$name.errors"
  return 1
}
# needed NAME SECONDS COMMAND...: a step without which the rest has no sense.
needed() {
  step "$@" || {
    echo "tests/gpu/run.sh: $1 failed, see $out/$1.log and $1.errors"
    exit 1
  }
}

if ! $dry; then
  rm -rf "$out"
  mkdir -p "$out" || exit 1
fi

configuration=(-S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DTESSERA_CUDA=ON -DTESSERA_NCCL=ON -DTESSERA_MPI=ON
  -DTESSERA_BUILD_TESTS=ON)
if command -v ninja >/dev/null; then configuration+=(-G Ninja); fi
if [[ -n ${TORCH_DIR:-} ]]; then configuration+=("-DTORCH_DIR=$TORCH_DIR"); fi
needed configure 60 cmake "${configuration[@]}"
needed build 420 cmake --build "$build" -j "$(nproc)" \
  --target gpu_nccl gpu_staging gpu_denoiser gpu_figures highres_deblurring compare_npy

step tests 120 ctest --test-dir "$build" -L '^gpu$' --output-on-failure --no-tests=error
if ((gpus > 1)); then step nccl_ranks 60 mpiexec -n "$gpus" "$bin/gpu_nccl"; fi

# The example: the same picture by one processor, by one card and by all cards, all over NCCL. Rounding to half precision
# is what they may differ by.
problem=(--image-size 512 --num-operators 8 --iterations 5 --seed 1 --distribute-physics --distribute-denoiser
  --tiling fixed --patch-size 256 --overlap 64 --save-npy --no-report --quiet)
# picture NAME RANKS ARGUMENTS...
picture() {
  local name=$1 ranks=$2
  shift 2
  step "$name" 120 mpiexec -n "$ranks" "$bin/highres_deblurring" "${problem[@]}" --out "$out/$name" "$@"
}
compared() { step "compare_$1" 60 "$bin/compare_npy" "$out/$1/x.npy" "$out/cpu/x.npy" 5e-3; }
picture cpu 1 --device cpu
most=$((gpus < 8 ? gpus : 8)) # of its 8 operators each rank needs one
for ((ranks = 1; ranks <= most; ranks = ranks < most && 2 * ranks > most ? most : 2 * ranks)); do
  picture "nccl_$ranks" "$ranks" --device cuda --backend nccl && compared "nccl_$ranks"
done
# The same exchange through host memory.
picture "mpi_$most" "$most" --device cuda --backend mpi && compared "mpi_$most"

step figures 120 "$bin/gpu_figures" --size 512 --rounds 10

# What a figure depends on.
gpu_query() { nvidia-smi --query-gpu="$1" --format=csv,noheader 2>/dev/null | head -n 1 | tr -d '\\"'; }
if $dry; then exit 0; fi
{
  printf '{"gpu": "%s", "memory": "%s", "driver": "%s", "gpus": %d,\n' \
    "$(gpu_query name)" "$(gpu_query memory.total)" "$(gpu_query driver_version)" "$gpus"
  printf '"libtorch": "%s", "compiler": "%s", "kernel": "%s",\n' \
    "$(sed -n 's/.*LibTorch \([0-9.]*\) in.*/\1/p' "$out/configure.log" | head -n 1)" \
    "$(c++ --version | head -n 1 | tr -d '\\"')" "$(uname -r)"
  printf '"seconds": %d, "failed": [%s],\n"runs": {' $((SECONDS - started)) \
    "$(printf '"%s", ' "${failed[@]}" | sed 's/^"", $//; s/, $//')"
  separator=
  for summary in "$out"/*/summary.json; do
    if ! [[ -r $summary ]]; then continue; fi
    printf '%s\n"%s": ' "$separator" "$(basename "$(dirname "$summary")")"
    cat "$summary"
    separator=,
  done
  printf '},\n"drunet": '
  if [[ -s $out/figures.log ]]; then cat "$out/figures.log"; else echo null; fi
  echo '}'
} >"$out/figures.json"

echo "==> figures in $out/figures.json, $((SECONDS - started)) s in all"
if ((${#failed[@]} > 0)); then
  echo "tests/gpu/run.sh: failed: ${failed[*]} (see $out)"
  exit 1
fi
