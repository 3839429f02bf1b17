// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "tessera/denoiser/drunet.hpp"

namespace tessera::detail {

struct DRUNetWeights {
  DRUNetArchitecture architecture;
  std::vector<Tensor> parameters;  // in the order in which the network uses them
};

/// Reads the architecture off a state dict's keys and shapes and puts its parameters in order of
/// use.
DRUNetWeights read_drunet(const StateDict& weights);

}  // namespace tessera::detail
