// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <string>
#include <vector>

#include "checkpoint_file.hpp"
#include "tessera/comm/communicator.hpp"

/// How the state of a solver comes together on the rank that has the file, and from there to all.
namespace tessera::detail {

/// The global indices of the operators that a rank holds.
using Held = std::vector<std::int64_t>;

/// Collective. The first rank's `count` texts on all ranks.
std::vector<std::string> broadcast_texts(Communicator& host, std::vector<std::string> texts,
                                         std::size_t count);

/// Local. Throws error::ShapeMismatch unless each list has a tensor for each of `held`.
void check_measured(const std::map<std::string, TensorList>& measured, const Held& held);

/// Local. Of lists as check_measured wants them.
MeasuredByOperator by_operator(const std::map<std::string, TensorList>& measured, const Held& held);

/// Collective. The measured variables of all ranks on the first rank, on the host; nothing
/// elsewhere. Of operators that several ranks hold, the lowest rank's.
MeasuredByOperator gather_measured(Communicator& ranks,
                                   const std::map<std::string, TensorList>& mine, const Held& held);

/// Collective. What the first rank has read, on every rank, its measured variables on those that
/// hold their operators now. Throws error::InvalidArgument, or error::RankFailure on several ranks,
/// unless every operator of the file is held by a rank and the other way round; `path` is for the
/// message. Where images are shared out, each rank gets its parts, also of measured variables: the
/// first rank reads them from `path`.
SolverState scatter_state(Communicator& ranks, const CheckpointFile& file, const Held& held,
                          at::Device device, const std::string& path, const SharedOut& spaces);

}  // namespace tessera::detail
