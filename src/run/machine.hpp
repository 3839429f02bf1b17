// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <string>

#include "tessera/comm/communicator.hpp"

namespace tessera::detail {

/// Where a rank runs; plain bytes, so that ranks can gather it.
struct Machine {
  std::array<char, 64> host{};
  std::array<char, 80> processor{};  ///< model name
  int cores = 0;                     ///< of the host, as many as its ranks may use
  int threads = 0;                   ///< LibTorch's, of this rank
  double memory_mb = 0;              ///< of the host, MB of 2^20 bytes
};

/// Collective.
Machine this_machine(Communicator& ranks);

}  // namespace tessera::detail
