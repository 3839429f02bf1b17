#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "options.hpp"
#include "tessera/denoiser/denoiser.hpp"

/// What one iteration costs on the machine at hand and on the network in mind.
struct MachineCosts {
  double denoise_s_per_pixel = 0;  ///< of a window, one rank
  double gradient_s_per_pixel =
      0;  ///< of the image, one rank: the fused gradient, which every rank computes whole
  double bandwidth_bytes_per_s = 0;  ///< of one rank's link
  double latency_s = 0;              ///< of one message
};

/// The prediction for one number of ranks.
struct ScalingRow {
  int ranks = 1;
  std::int64_t tiles = 1;
  double imbalance = 1;  ///< pixels of the busiest rank over an even share of the image's
  double gradient_s = 0;
  double denoise_s = 0;
  double communication_s = 0;
  double received_bytes = 0;  ///< per rank and iteration
  double peak_bytes = 0;      ///< of the busiest rank
  double total_s() const { return gradient_s + denoise_s + communication_s; }
};

/// Times a denoising and a gradient on a small image with the threads of this process.
MachineCosts measure_costs(const Options& options, const tessera::Denoiser& denoiser);

/// Predicts one iteration of PnP with the fused gradient and tiles of options.tiling, for a (1, 3,
/// H, W) image:
///   time = gradient_s_per_pixel * pixels                                  every rank, whole image
///        + denoise_s_per_pixel * pixels of the busiest rank's windows
///        + (flags + 1) * ceil(log2 P) * latency + bytes * (P - 1) / P / bandwidth
/// with the all-gather of tiles (image and blended regions once) in a tree or ring, and three flag
/// reductions.
std::vector<ScalingRow> predict(const Options& options, const tessera::DenoiserPtr& denoiser,
                                at::IntArrayRef shape, const std::vector<int>& ranks,
                                const MachineCosts& costs);

/// The prediction as a table.
std::string scaling_table(const std::vector<ScalingRow>& rows, const MachineCosts& costs,
                          at::IntArrayRef shape);
