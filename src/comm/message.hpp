#pragma once

#include <fmt/format.h>

#include <string>

#include "tessera/comm/communicator.hpp"

namespace tessera {

/// " (rank 1 of 4)", the end of every message where several ranks run; nothing where one does.
inline std::string rank_suffix(const Communicator& communicator) {
  if (communicator.size() == 1) return {};
  return fmt::format(" (rank {} of {})", communicator.rank(), communicator.size());
}

}  // namespace tessera
