// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "tessera/comm/communicator.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// " (rank 1 of 4)", the end of every message where several ranks run; nothing where one does.
inline std::string rank_suffix(const Communicator& communicator) {
  if (communicator.size() == 1) return {};
  return formatted(" (rank {} of {})", communicator.rank(), communicator.size());
}

}  // namespace tessera
