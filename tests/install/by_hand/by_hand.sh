#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# by_hand.sh PREFIX TORCH EIGEN COMPILER OUT: compiles main.cpp against the headers in PREFIX by a line that anyone could
# type, and runs it. TORCH: a folder of LibTorch; EIGEN: the folder that holds Eigen/.
set -euo pipefail
prefix=$1 torch=$2 eigen=$3 compiler=$4 out=$5
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$out"
set -x
"$compiler" -std=c++20 -fopenmp -O1 -DAT_PER_OPERATOR_HEADERS -I "$prefix/include" -isystem "$eigen" \
  -idirafter "$torch/include" -idirafter "$torch/include/torch/csrc/api/include" "$here/main.cpp" -o "$out/main" \
  -L "$torch/lib" -Wl,-rpath,"$torch/lib" -Wl,--allow-shlib-undefined -ltorch_cpu -lc10 -lfmt
"$out/main"
