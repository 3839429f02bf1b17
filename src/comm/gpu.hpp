#pragma once

#include <string>
#include <vector>

#include "tessera/comm/host.hpp"

namespace tessera::detail {

/// What a rank sees.
struct VisibleGpus {
  std::string host;
  std::vector<std::string> devices;  ///< a name of each that is the same for all ranks of the host
};

/// The device of every rank: the one with the fewest ranks so far, the first among equals. Ranks
/// that see fewer choose before those that see more, so that these leave them theirs.
std::vector<GpuChoice> choose_gpus(const std::vector<VisibleGpus>& ranks);

}  // namespace tessera::detail
