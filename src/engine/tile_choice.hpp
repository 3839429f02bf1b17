// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <memory>

#include "compiled_network.hpp"
#include "weight_reader.hpp"

namespace tessera::engine {

/// Makes a network from a reader of its weights.
using Build = std::function<std::unique_ptr<CompiledNetwork>(WeightReader reader)>;

/// The network with tiles of six where they pay and where its results differ from those with tiles
/// of four by no more than options.tile_tolerance, measured on a test image, or volume, whose
/// extents are multiples of `grid`; otherwise with tiles of four. The first of the weights is the
/// kernel of the network's first convolution.
std::unique_ptr<Network> choose_tiles(const std::vector<Tensor>& weights, const Build& build,
                                      std::int64_t grid, const CompileOptions& options);

}  // namespace tessera::engine
