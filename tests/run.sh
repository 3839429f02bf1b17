#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs what is missing, builds, runs every test. Exit status 0 only if all passed.
#   bash tests/run.sh                  the stage release
#   bash tests/run.sh release asan     those stages
# Stages:
#   release   optimised build; unit, MPI and installation tests; every public header compiles alone
#   minimal   without MPI, NCCL and files: the library, some unit tests
#   asan      AddressSanitizer and UndefinedBehaviorSanitizer: unit tests, MPI tests on 2 ranks
#   lint      formatting; clang-tidy; spelling; rooms include only rooms above them; the share of headers; dead links;
#             licence lines
#   docs      Doxygen reads every public header and page without a warning; dead links
#   bench     the benchmark programs compile and run one round on a small image
#   clang     the library compiled by clang
#   extended  minimal, asan and clang: what is too slow for CI, and is run by hand before a release
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/setup.sh"

run_ctest() {
  local preset=$1
  shift
  ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error --parallel 2 \
    --output-junit "$root/build/$preset.tests.xml" "$@"
}

# What the tests of a stage came to: ", 250 tests, 0 failed, 4 skipped"; nothing if it ran none.
count_tests() {
  local results=$root/build/$1.tests.xml name number
  if [[ ! -r $results ]]; then return 0; fi
  for name in tests failures skipped; do
    number=$(grep -om 1 "$name=\"[0-9]*\"" "$results" | tr -dc 0-9)
    printf ', %s %s' "$number" "${name/failures/failed}"
  done
}

stage_release() {
  install_browser
  configure release -DTESSERA_BUILD_TESTS=ON
  build release all headers_compile_alone
  run_ctest release
}

stage_minimal() {
  configure minimal
  build minimal tessera_denoisers test_comm test_solver test_physics
  run_ctest minimal -R 'unit.(comm|solver|physics)'
}

stage_asan() {
  configure asan
  build asan unit_tests mpi_tests
  run_ctest asan -R '^unit[.]|^mpi[.][a-z_]+[.]2$'
}

stage_lint() {
  say "checking which rooms include which, how much is in headers, and the links of the pages"
  python3 "$root/tests/lint/rooms.py"
  python3 "$root/tests/lint/header_share.py"
  python3 "$root/tests/lint/links.py"
  python3 "$root/tests/lint/spdx.py"
  python3 "$root/tests/lint/recipes.py"
  check_format
  check_spelling
  check_with_clang_tidy
}

check_format() {
  find_clang_tool clang-format
  if [[ -z $clang_tool ]]; then
    say "format check SKIPPED: no clang-format 14 here"
  elif ! git -C "$root" rev-parse >/dev/null 2>&1; then
    say "format check SKIPPED: not a git checkout"
  else
    say "checking the format of the sources"
    (cd "$root" && git ls-files -z '*.hpp' '*.cpp' | xargs -0 "$clang_tool" --dry-run --Werror)
  fi
}

check_spelling() {
  if ! command -v codespell >/dev/null && ! { is_offered codespell && install_packages codespell; }; then
    say "spelling SKIPPED: no codespell here"
    return 0
  fi
  say "checking the spelling"
  counted_with "$(codespell --version)" 2.2.2 run_codespell
}

run_codespell() {
  (cd "$root" && codespell --ignore-words tests/lint/words.txt --skip '*.jpg,*.png,*.npy,*.safetensors,corpus,data' \
    include src examples tools tests docs cmake ./*.md CMakeLists.txt)
}

# Runs a command whose findings count with one version of its tool; those of another version are shown only.
counted_with() {
  local version=$1 decides=$2
  shift 2
  if [[ $version == "$decides"* ]]; then
    "$@"
  else
    "$@" || say "findings of version $version do not count: $decides decides"
  fi
}

check_with_clang_tidy() {
  find_clang_tool clang-tidy
  if [[ -z $clang_tool ]]; then
    say "clang-tidy SKIPPED: no clang-tidy 14 here"
    return 0
  fi
  if [[ ! -r $root/build/release/compile_commands.json ]]; then configure release -DTESSERA_BUILD_TESTS=ON; fi
  say "clang-tidy: every public header, every source of the library"
  python3 "$root/tests/lint/tidy.py" "$clang_tool" "$root/build/release"
}

stage_docs() {
  say "checking the links of the pages"
  python3 "$root/tests/lint/links.py"
  if ! command -v doxygen >/dev/null && ! { is_offered doxygen && install_packages doxygen; }; then
    say "Doxygen SKIPPED: it could not be installed"
    return 0
  fi
  configure release -DTESSERA_BUILD_TESTS=ON
  counted_with "$(doxygen --version)" 1.9.4 build release docs
}

stage_bench() {
  configure release -DTESSERA_BUILD_TESTS=ON -DTESSERA_BUILD_BENCH=ON
  build release bench_denoiser bench_communicator
  say "one round of the denoiser's benchmark"
  "$root/build/release/bin/bench_denoiser" --height 48 --width 40 --widths 16,16,16,16 --blocks 1 --rounds 1 --layers \
    --threads 1
  bash -n "$root/tests/bench/compare_deepinv.sh"
}

stage_clang() {
  if ! install_packages "${clang_packages[@]}" || ! command -v clang++ >/dev/null; then
    say "stage clang SKIPPED: clang could not be installed"
    return 0
  fi
  configure clang
  build clang
}

stages=()
for stage in "${@:-release}"; do
  if [[ $stage == extended ]]; then stages+=(minimal asan clang); else stages+=("$stage"); fi
done
for stage in "${stages[@]}"; do
  declare -F "stage_$stage" >/dev/null ||
    fail "no stage '$stage'; there are release, lint, docs, bench, minimal, asan, clang and extended"
done

install_packages "${build_packages[@]}" || fail "the system packages could not be installed"
install_libtorch
install_plotly
mkdir -p "$root/build"

report=()
status=0
for stage in "${stages[@]}"; do
  say "stage $stage"
  started=$SECONDS
  rm -f "$root/build/$stage.tests.xml"
  # In a shell of its own with errexit, which a condition would switch off.
  set +e
  (set -e; "stage_$stage")
  result=$?
  set -e
  if ((result == 0)); then verdict=passed; else verdict=FAILED status=1; fi
  report+=("$(printf '%-8s %s in %d s' "$stage" "$verdict" $((SECONDS - started)))$(count_tests "$stage")")
done
printf '\n'
printf '%s\n' "${report[@]}"
exit $status
