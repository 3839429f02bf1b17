#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tessera/comm/communicator.hpp"

namespace tessera {

/// Names and what they stand at.
using NamedValues = std::vector<std::pair<std::string, std::string>>;

/// Collective. Returns if every rank gives the same values, in the same order. Otherwise throws
/// error::RankFailure on every rank with the first that differs: "who: --seed is 42 on rank 0 and
/// 43 on rank 1, expected the same on all ranks". For settings and for fingerprints of inputs: a
/// job whose ranks were started with different ones computes something that nobody asked for. Costs
/// one small reduction if all is well.
void same_on_all_ranks(Communicator& communicator, std::string_view who, const NamedValues& values);

}  // namespace tessera
