// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "restore/inputs.hpp"
#include "restore/run.hpp"
#include "tessera/comm/communicator.hpp"

namespace restore {

/// Collective. Adds the row "memory" to the plan: the largest resident set that this rank will
/// have, estimated from what it had before it read anything, `resident_mb` (MB of 2^20 bytes; NaN
/// where it is not known). Throws error::InvalidArgument, on several ranks error::RankFailure,
/// saying what to do, if the ranks of a host need more than it has; not in a dry run, which may be
/// elsewhere.
void tell_memory(Inputs& inputs, const RunOrders& orders, double resident_mb,
                 tessera::Communicator& world);

}  // namespace restore
