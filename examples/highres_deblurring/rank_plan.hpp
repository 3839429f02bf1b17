// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "options.hpp"
#include "restoration/memory_need.hpp"

/// What one of `ranks` ranks will do with images of the shape `image`, (1, 3, H, W). Throws what
/// the run would throw: tiles that do not fit the image.
restoration::MemoryNeed plan_of_rank(const Options& options, at::IntArrayRef image,
                                     const tessera::DenoiserPtr& denoiser, int ranks);

/// What to give for a run that needs less memory.
std::string advice_on_memory(const Options& options);
