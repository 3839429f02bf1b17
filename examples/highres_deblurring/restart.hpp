// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <string>

#include "options.hpp"
#include "tessera/core/tensor.hpp"

/// Checkpoints of a run.

/// What the program exits with when a signal interrupted it and --resume can go on: EX_TEMPFAIL.
constexpr int interrupted_code = 75;

/// The checkpoint in the folder of a run.
std::string checkpoint_path(const std::string& folder);

/// Whether the options ask for one.
bool keeps_checkpoint(const Options& options);

/// What must be the same for a run to go on: everything that the restored image depends on, with
/// the contents of files. Not the number of ranks, the device and the precision's last digits; not
/// the number of iterations, unless the method depends on it. `inputs`: of Inputs::digests.
std::map<std::string, std::string> identity_of_run(
    const Options& options, const tessera::Tensor& truth,
    const std::map<std::string, std::string>& inputs);
