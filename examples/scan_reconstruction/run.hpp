// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "options.hpp"
#include "restoration/memory_need.hpp"
#include "restoration/outcome.hpp"
#include "restoration/sharing.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/denoiser/denoiser.hpp"

/// Reconstructs the image. Collective: every rank of `world` calls it; the outcome is the same on
/// all of them, except that `measurements` holds what this rank holds unless options.save_npy.
/// Fills in what the options left open.
restoration::Outcome run(Options& options, const tessera::CommunicatorPtr& world);

/// How the outcome of these options is written and told.
restoration::Telling telling_of(const Options& options, const restoration::Outcome& outcome);

/// The untiled denoiser. Sets options.weights to the installed weights where none were given.
tessera::DenoiserPtr make_network(Options& options);

/// What one of `ranks` ranks will do with images of this shape, and the memory that takes. Throws
/// what the run would throw: tiles that do not fit the image.
restoration::MemoryNeed plan_of_rank(const Options& options, at::IntArrayRef image,
                                     const tessera::DenoiserPtr& denoiser, int ranks);

/// What to give for a run that needs less memory.
std::string advice_on_memory(const Options& options);
