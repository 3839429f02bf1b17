#pragma once

#include <array>
#include <string>

namespace tessera::detail {

/// Where a rank runs; plain bytes, so that ranks can gather it.
struct Machine {
  std::array<char, 64> host{};
  std::array<char, 80> processor{};  ///< model name
  int cores = 0;                     ///< hardware threads of the host
  int threads = 0;                   ///< LibTorch's, of this rank
  double memory_mb = 0;              ///< of the host, MB of 2^20 bytes
};

Machine this_machine();

}  // namespace tessera::detail
