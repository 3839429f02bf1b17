// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tessera/comm/box.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"

namespace restoration {

/// A run, as far as memory goes.
struct MemoryQuestion {
  std::vector<std::int64_t> image;  ///< (1, C, H, W) or (1, C, D, H, W)
  std::int64_t bytes_per_element = 4;
  int ranks = 1;
  tessera::DenoiserPtr denoiser;
  std::string weights;                           ///< its file; empty: none
  std::optional<tessera::TilingOptions> tiling;  ///< none: every rank denoises the whole image
  std::vector<tessera::Box> denoised;  ///< without tiles: the box of each rank; empty: all of it
  double images = 0;  ///< of the image's size that a rank holds beside the denoiser's
};

/// What the busiest rank will do and need, found out without running it.
struct MemoryNeed {
  std::string tiles;             ///< lines of text
  double bytes_per_rank = 0;     ///< estimated, libraries included
  double bytes_of_denoiser = 0;  ///< thereof the denoiser's working memory
};

/// What a network takes for its weights in this file; 0 where there is none.
double bytes_of_weights(const std::string& path);

/// Throws what the run would throw: tiles that do not fit the image.
MemoryNeed memory_need(const MemoryQuestion& question);

/// The same where ranks share out the image and hold one of `boxes` each: the denoiser works on the
/// largest, or on tiles, one at a time, and `question.images` are in boxes.
MemoryNeed memory_need_of_boxes(MemoryQuestion question, const std::vector<tessera::Box>& boxes);

/// Throws error::InvalidArgument, with the estimate and `advice`, if the ranks of this host need
/// more memory than there is. `what`: "for an image of 512x512 pixels and 8 operators".
void check_memory(const MemoryNeed& need, int ranks_on_host, const std::string& what,
                  const std::string& advice);

/// To be called in a handler: throws the exception at hand again. One about memory then gives the
/// advice too.
[[noreturn]] void rethrow_with_advice(const std::string& advice);

}  // namespace restoration
