# SPDX-License-Identifier: BSD-3-Clause
# Set-up shared by examples/run.sh and tests/run.sh: compilers and libraries from the system's packages, LibTorch and
# the CUDA and NCCL headers from Python wheels in .deps/venv, a photograph in .deps/photos. Sourced, not run; asks for
# nothing that is there already, and changes no Python environment but its own.
#
# LibTorch of your own: set TORCH_DIR to its folder (a libtorch or a site-packages/torch), and no wheel is fetched.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/.deps

# Debian 12 and 13, Ubuntu 24.04.
mpi_packages=(mpich libmpich-dev)
if grep -qs '^ID=ubuntu$' /etc/os-release && grep -qs '^VERSION_ID="24.04"$' /etc/os-release; then
  # Ubuntu's MPICH 4.2.0 is built for another launcher than its own: each of its processes believes that it is alone.
  mpi_packages=(openmpi-bin libopenmpi-dev)
fi
build_packages=(
  g++ cmake ninja-build ccache
  "${mpi_packages[@]}"
  libeigen3-dev libfmt-dev catch2 libcli11-dev libyaml-cpp-dev nlohmann-json3-dev
  libpng-dev libjpeg-dev libtiff-dev libcfitsio-dev libhdf5-dev libhwy-dev
)
clang_packages=(clang libomp-dev)

# LibTorch 2.15.0 with the CUDA runtime of its release; libtorch_cpu needs no other wheel to load.
wheels=(
  torch==2.15.0
  nvidia-cuda-runtime==13.2.86
  nvidia-cuda-crt==13.2.86
  nvidia-cuda-cccl==13.2.86
  nvidia-cuda-cupti==13.2.86
  nvidia-nccl-cu13==2.30.7
)
# plotly.js of the reports: package_data/plotly.min.js is all that is used of it.
plotly=plotly==7.1.0

say() { printf '==> %s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Open MPI starts no more ranks than there are cores, and nothing as root (containers, CI), unless told to.
export OMPI_MCA_rmaps_base_oversubscribe=1
if [[ $(id -u) == 0 ]]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi

is_installed() {
  [[ $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) == "install ok installed" ]]
}

may_be_root() { [[ $(id -u) == 0 ]] || command -v sudo >/dev/null; }

# Runs a command as root.
as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

# Installs those of the given system packages that are missing; the package lists are refreshed only if they do not do.
install_packages() {
  local package missing=()
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "no apt-get here: install these yourself, or their equals, if the build misses them: $*"
    return 0
  fi
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then return 0; fi
  may_be_root || fail "system packages are missing, and this is neither root nor a user with sudo." \
    "Have an administrator run: apt-get update && apt-get install ${missing[*]}"
  say "installing system packages: ${missing[*]}"
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}")
  if ! apt-get install -s -q --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
    as_root apt-get update -q || return 1
  fi
  if ! as_root "${install[@]}"; then
    as_root apt-get update -q && as_root "${install[@]}"
  fi
}

# Whether the system's packages include `package`, installed or not.
is_offered() {
  command -v apt-cache >/dev/null && [[ -n $(apt-cache madison "$1" 2>/dev/null) ]]
}

# The command of clang-format or clang-tidy (the argument) of version 14, whose format the sources have and whose findings
# they are free of; later versions differ. Installs it where there is a package of it (Debian 12, Ubuntu 24.04). Sets
# `clang_tool`, empty if there is none to be had (Debian 13).
find_clang_tool() {
  local candidate
  if ! command -v "$1-14" >/dev/null && is_offered "$1-14"; then install_packages "$1-14" || true; fi
  clang_tool=
  for candidate in "$1-14" "$1"; do
    if command -v "$candidate" >/dev/null && [[ $("$candidate" --version) == *" version 14."* ]]; then
      clang_tool=$candidate
      return 0
    fi
  done
}

# A browser for the test of the reports. Ubuntu's packages of that name only call snap, which needs a running system.
install_browser() {
  local program
  for program in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$program" >/dev/null; then return 0; fi
  done
  if grep -qs '^ID=debian$' /etc/os-release && install_packages chromium fonts-dejavu-core; then return 0; fi
  say "no Chromium could be installed here: the report's test in a browser will be skipped"
}

# The system's own Python, whose package for virtual environments is at hand; what goes into .deps/venv serves as
# archives only.
make_environment() {
  if [[ -x $deps/venv/bin/python ]] && "$deps/venv/bin/python" -m pip --version >/dev/null 2>&1; then return 0; fi
  if command -v apt-get >/dev/null; then install_packages python3 python3-venv; fi
  local python=/usr/bin/python3
  if [[ ! -x $python ]]; then python=$(command -v python3) || return 1; fi
  say "making a Python environment of our own: .deps/venv"
  "$python" -m venv --clear "$deps/venv"
}

# Installs the given Python packages, without what they depend on, into .deps/venv.
install_wheels() {
  "$deps/venv/bin/python" -m pip install --quiet --no-cache-dir --no-compile --disable-pip-version-check --no-deps "$@"
}

# LibTorch: TORCH_DIR if given, else the wheels in .deps/venv.
install_libtorch() {
  if [[ -n ${TORCH_DIR:-} ]]; then
    say "LibTorch: $TORCH_DIR (TORCH_DIR)"
    return 0
  fi
  local wheel name version missing=() site
  site=$(echo "$deps"/venv/lib/python3*/site-packages)
  for wheel in "${wheels[@]}"; do
    name=${wheel%%==*}
    version=${wheel##*==}
    compgen -G "$site/${name//-/_}-$version*.dist-info" >/dev/null || missing+=("$wheel")
  done
  if ((${#missing[@]} == 0)); then return 0; fi

  make_environment || fail "no Python environment could be made; on Debian and Ubuntu that needs python3-venv"
  if [[ $(uname -m) != x86_64 ]]; then
    say "note: these wheels were tried on x86_64 only, this machine is $(uname -m)"
  fi
  say "fetching LibTorch into .deps/venv, 0.8 GB to load and 1.5 GB on disk: ${missing[*]}"
  install_wheels "${missing[@]}" ||
    fail "the wheels could not be installed. With a LibTorch of your own, 2.11 or newer, set TORCH_DIR to its folder."
}

# plotly.js for the reports, in .deps/venv. Without it the plots of a report are plain ones.
install_plotly() {
  if compgen -G "$deps/venv/lib/python3*/site-packages/${plotly%%==*}-${plotly##*==}.dist-info" >/dev/null; then return 0; fi
  say "fetching plotly.js into .deps/venv, 10 MB to load: $plotly"
  if ! (make_environment && install_wheels "$plotly"); then
    say "plotly.js could not be fetched, going on without: reports will draw plain plots"
  fi
}

# A photograph for the example, 2560x1600, from Debian's mate-backgrounds (GPL-2+): unpacked, not installed.
# Sets `photo`, empty if there is none to be had.
fetch_photo() {
  local inside=usr/share/backgrounds/mate/nature/Garden.jpg unpacked
  photo=$deps/photos/Garden.jpg
  if [[ -r $photo ]]; then return 0; fi
  if [[ -r /$inside ]]; then
    photo=/$inside
    return 0
  fi
  photo=
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then return 0; fi
  say "fetching a photograph from the package mate-backgrounds into .deps/photos"
  unpacked=$(mktemp -d)
  if (cd "$unpacked" && { apt-get download -q mate-backgrounds ||
      { may_be_root && as_root apt-get update -q && apt-get download -q mate-backgrounds; }; } &&
      dpkg-deb -x mate-backgrounds_*.deb .) >"$unpacked/log" 2>&1 && [[ -r $unpacked/$inside ]]; then
    mkdir -p "$deps/photos"
    cp "$unpacked/usr/share/doc/mate-backgrounds/copyright" "$deps/photos/Garden.copyright"
    cp "$unpacked/$inside" "$deps/photos/Garden.jpg"
    photo=$deps/photos/Garden.jpg
  else
    say "no photograph to be had, going on without: $(tail -n 1 "$unpacked/log" 2>/dev/null)"
  fi
  rm -rf "$unpacked"
}

# configure PRESET [CMake arguments]; build PRESET [targets]
configure() {
  local preset=$1
  shift
  say "configuring build/$preset"
  (cd "$root" && cmake --preset "$preset" "$@") >"$root/build/$preset.configure.log" 2>&1 || {
    cat "$root/build/$preset.configure.log"
    fail "configuring build/$preset failed"
  }
}
build() {
  local preset=$1
  shift
  local targets=()
  if (($# > 0)); then targets=(--target "$@"); fi
  say "building build/$preset${*:+: $*}"
  cmake --build "$root/build/$preset" "${targets[@]}"
}
