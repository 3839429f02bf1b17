#!/usr/bin/env bash
# Installs what is missing, builds, runs every test. Exit status 0 only if all passed.
#   bash tests/run.sh                  the stage release
#   bash tests/run.sh release asan     those stages
# Stages:
#   release   optimised build; unit, MPI and installation tests; every public header compiles alone
#   minimal   without MPI, NCCL and files: the library, some unit tests
#   asan      AddressSanitizer and UndefinedBehaviorSanitizer: unit tests, MPI tests on 2 ranks
#   lint      formatting; rooms include only rooms above them; the share of headers; dead links
#   clang     the library compiled by clang
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
  find_clang_format
  if [[ -z $clang_format ]]; then
    say "format check SKIPPED: no clang-format 14 here"
  elif ! git -C "$root" rev-parse >/dev/null 2>&1; then
    say "format check SKIPPED: not a git checkout"
  else
    say "checking the format of the sources"
    (cd "$root" && git ls-files -z '*.hpp' '*.cpp' | xargs -0 "$clang_format" --dry-run --Werror)
  fi
}

stage_clang() {
  if ! install_packages "${clang_packages[@]}" || ! command -v clang++ >/dev/null; then
    say "stage clang SKIPPED: clang could not be installed"
    return 0
  fi
  configure clang
  build clang
}

stages=("$@")
if ((${#stages[@]} == 0)); then stages=(release); fi
for stage in "${stages[@]}"; do
  declare -F "stage_$stage" >/dev/null || fail "no stage '$stage'; there are release, minimal, asan, lint and clang"
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
