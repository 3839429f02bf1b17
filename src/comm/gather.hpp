#pragma once

#include <string>
#include <vector>

#include "tessera/comm/communicator.hpp"

namespace tessera::detail {

/// Collective. A short text of every rank, in rank order.
std::vector<std::string> gather_texts(Communicator& world, const std::string& mine);

}  // namespace tessera::detail
