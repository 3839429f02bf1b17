// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "restore/inputs.hpp"
#include "restore/run.hpp"
#include "tessera/comm/communicator.hpp"

namespace restore {

/// Adds the row "memory" to the plan: the largest resident set that a rank will have, estimated
/// from what it had before it read anything, `resident_mb` (MB of 2^20 bytes; NaN where it is not
/// known). Throws error::InvalidArgument, saying what to do, if the ranks of this host need more
/// than it has, unless it is a dry run: then the row says so. Collective.
void tell_memory(Inputs& inputs, const RunOrders& orders, double resident_mb,
                 tessera::Communicator& world);

}  // namespace restore
