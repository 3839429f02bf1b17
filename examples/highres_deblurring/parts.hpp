// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>

#include "options.hpp"
#include "restoration/memory_need.hpp"
#include "restoration/sharing.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/physics/linear_physics.hpp"

/// The parts that the options name.

/// The untiled denoiser. Sets options.weights to the installed weights where none were given.
tessera::DenoiserPtr make_network(Options& options);

/// What one of `ranks` ranks will do with images of the shape `image`, (1, 3, H, W), and the memory
/// that takes. Throws what the run would throw: tiles that do not fit the image.
restoration::MemoryNeed plan_of_rank(const Options& options, at::IntArrayRef image,
                                     const tessera::DenoiserPtr& denoiser, int ranks);

/// What to give for a run that needs less memory.
std::string advice_on_memory(const Options& options);
