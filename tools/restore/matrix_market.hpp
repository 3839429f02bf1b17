// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "tessera/core/tensor.hpp"

namespace restore {

/// Reads a matrix in the coordinate format of MatrixMarket, .mtx, real or integer, general or
/// symmetric (Boisvert, Pozo, Remington, "The Matrix Market Exchange Formats", NISTIR 5935, 1996):
/// a sparse float64 tensor (rows, columns), in which entries that are there twice add up. Throws
/// error::Io, naming file and line, for what is none, or is truncated or damaged.
tessera::Tensor read_matrix_market(const std::string& path);

}  // namespace restore
