// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "options.hpp"
#include "output.hpp"
#include "tessera/comm/communicator.hpp"

/// Restores the image. Collective: every rank of `world` calls it; the outcome is the same on all
/// of them, except that `measurements` holds what this rank holds unless options.save_npy. Fills in
/// what the options left open.
Outcome run(Options& options, const tessera::CommunicatorPtr& world);
