// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tomography/loops.hpp"

/// The loops by instruction set, each compiled in a source of its own.
namespace tessera::joseph {

Loops<float> avx2_loops(float type);
Loops<double> avx2_loops(double type);
Loops<float> avx512_loops(float type);
Loops<double> avx512_loops(double type);

}  // namespace tessera::joseph
