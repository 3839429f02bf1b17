// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "options.hpp"
#include "restoration/outcome.hpp"
#include "tessera/comm/communicator.hpp"

/// Restores the image. Collective: every rank of `world` calls it; the outcome is the same on all
/// of them, except that `measurements` holds what this rank holds unless options.save_npy. Fills in
/// what the options left open.
restoration::Outcome run(Options& options, const tessera::CommunicatorPtr& world);

/// How the outcome of these options is written and told.
restoration::Telling telling_of(const Options& options, const restoration::Outcome& outcome);

/// Local. How the run would scale with the ranks, as text: restoration::predict_scaling. Fills in
/// what the options left open.
std::string plan_run(Options& options);
