#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>

#include "tessera/denoiser/denoiser.hpp"

namespace tessera {

/// How a denoiser is probed. An image of noise is made for it, `largest_extent` long along one axis
/// at most and 64 along the others.
struct ReachProbeOptions {
  std::int64_t channels = 3;
  std::int64_t dimensions = 2;  ///< spatial: 1 to 3
  double sigma = 0.1;
  at::Device device = at::kCPU;  ///< of the image
  std::int64_t largest_extent = 1024;
  std::int64_t largest_alignment = 64;
};

/// What Denoiser::reach() and Denoiser::alignment() would have to say.
struct ProbedReach {
  /// nullopt: an output pixel depends on pixels at both ends of the longest image tried, or beyond
  /// one of them; take it for "on all".
  std::optional<std::int64_t> reach;
  /// The smallest shift by which the image can move and the result moves with it; nullopt: none up
  /// to the largest tried, or the reach is unknown.
  std::optional<std::int64_t> alignment;
};

/// Measures on which pixels an output pixel depends, and on which grid the denoiser is
/// translation-invariant. The reach is that of the derivative, which is zero exactly where there is
/// no influence, however weak that is far away; it is taken along each axis, for each position on
/// the grid. The alignment is found by denoising shifted images, in double precision.
///
/// An influence that shows for other images only (attention, thresholds that noise does not pass)
/// can be missed: a statement of whoever made the network is better where there is one.
///
/// Throws error::InvalidArgument for options that cannot work or a denoiser that is not
/// differentiable in x, and what the denoiser throws. Costs up to some hundred evaluations of
/// largest_extent x 64 pixels, usually far fewer. Collective if the denoiser is distributed.
ProbedReach probe_reach(const Denoiser& denoiser, const ReachProbeOptions& options = {});

}  // namespace tessera
