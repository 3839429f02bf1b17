// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

#include "restore/plan.hpp"
#include "tessera/comm/communicator.hpp"

namespace restore {

/// The command line.
struct RunOrders {
  std::string config = {};
  std::string output = {};            ///< instead of the configuration's; empty: that one
  std::string report = {};            ///< instead of the configuration's; empty: that one, if any
  bool distribute_image = false;      ///< ranks share out the image: none has it whole
  bool dry_run = false;               ///< tell what would be done, and stop
  int threads = 0;                    ///< per rank; 0: see tessera::threads_for_this_rank
  std::int64_t checkpoint_every = 0;  ///< iterations; 0: none, or every 10 with `resume`
  bool resume = false;                ///< go on from the checkpoint, if there is one
  bool quiet = false;                 ///< warnings and errors only

  bool keeps_checkpoint() const { return checkpoint_every > 0 || resume; }
};

/// The name of the program, for messages.
inline constexpr const char* program = "tessera_restore";

/// What a program of a wrong configuration or of files that do not fit ends with.
inline constexpr int wrong_input_code = 2;

/// Collective. Restores as a configuration file says, and writes the result on the first rank; each
/// rank reads only the measurements that it holds. Returns the exit code of the program: 0;
/// wrong_input_code for an input that cannot be used, explained once on stderr, with nothing
/// written; 1 for iterates that are not finite; restoration::interrupted_code if a signal ended a
/// run that keeps a checkpoint. Throws error::RankFailure for what goes wrong
/// later, such as a full disk.
int run(const RunOrders& orders, const tessera::CommunicatorPtr& world);

}  // namespace restore
