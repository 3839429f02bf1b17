// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tessera/comm/rehearsal.hpp"
#include "tessera/distributed/tile_plan.hpp"

namespace tessera {

/// Predicts how long one iteration takes on P ranks, from what it costs on one and from a network's
/// bandwidth and latency. docs/explanation/scaling.md derives the formula and compares it with
/// measurements.

/// What one iteration costs on the machine at hand and on the network in mind. Every rank is taken
/// to have the cores, or the GPU, that these were measured with.
struct MachineCosts {
  double denoise_s_per_pixel = 0;  ///< of a tile's window
  double denoise_s_per_tile = 0;   ///< of a call, however small the window
  double replicated_s = 0;         ///< all but the denoiser, on the whole image: every rank does it
  double bandwidth_bytes_per_s = 1;  ///< into one rank
  double latency_s = 0;              ///< of one message
  double process_bytes = 0;          ///< of a rank before it holds an image
  double replicated_bytes = 0;       ///< of all but the denoiser, with one operator
};

/// What the tiles are made of, and what else a rank holds.
struct Workload {
  std::int64_t channels = 3;
  std::int64_t bytes_per_element = 4;
  std::int64_t operators = 1;    ///< of all ranks
  bool shares_operators = true;  ///< among the ranks; else every rank holds all of them
  /// Working memory of the denoiser, in elements per pixel of a window.
  double working_elements_per_pixel = 0;
};

/// The prediction for one number of ranks.
struct ScalingRow {
  int ranks = 1;
  std::int64_t tiles = 1;
  int idle_ranks = 0;    ///< without a tile
  double balance = 1;    ///< pixels that the busiest rank denoises, over an even share of the image
  double denoise_s = 0;  ///< of the busiest rank
  double exchange_s = 0;  ///< tiles and flags
  double replicated_s = 0;
  double received_bytes = 0;  ///< per rank and iteration
  double peak_bytes = 0;      ///< of the busiest rank
  double total_s() const { return denoise_s + exchange_s + replicated_s; }
};

/// One iteration on `ranks` ranks that share the tiles of `plan`, observers excluded:
///   denoise_s      = max over ranks of sum over its tiles of (s_per_tile + s_per_pixel * window)
///   exchange_s     = (P - 1) latency + received_bytes / bandwidth     tiles, in a ring
///                  + 2 flags * ceil(log2 P) latency                   each there and back in a
///                  tree
///   received_bytes = (P - 1) / P * bytes of all tiles' supports       the image, blends twice
/// With two flags: before the tiles are exchanged, and at the end of the iteration.
ScalingRow predict(const TilePlan& plan, int ranks, const MachineCosts& costs,
                   const Workload& workload);

/// What a rank does in an iteration on images that ranks share out (BoxSpace).
struct BoxWork {
  /// Pixels of the whole image, and of the largest box.
  double pixels = 1;
  double box_pixels = 1;
  /// The tiles of a ShardedDenoiser; none: layer by layer, each rank its box.
  std::optional<TilePlan> tiles = {};
  /// Of one gradient and one denoising, of a rank in the middle: Rehearsal::traffic().
  RankTraffic traffic = {};
};

/// One iteration of ranks that each hold a box of the image:
///   denoise_s    = s_per_tile + s_per_pixel * box_pixels, or as above with tiles
///   exchange_s   = messages * latency + received_bytes / bandwidth
///                + (reductions + 1) * 2 ceil(log2 P) latency     one more at the end, there and
///                back
///   replicated_s = costs.replicated_s * box_pixels / pixels      shared out, like all that is held
ScalingRow predict_boxes(const BoxWork& work, int ranks, const MachineCosts& costs,
                         const Workload& workload);

/// What the table is about, as its first lines say.
struct ScalingTitle {
  std::string problem;  ///< "image 2048x1280, drunet, even tiles"
  int threads = 1;
  std::string rest = "on every rank";  ///< where the rest is done
  std::string settings{};  ///< where the network's figures come from: "--bandwidth, --latency"
};

/// The prediction as a table, with the speed-up over `single`, one rank that does not tile, and
/// what it means for the choice of a number of ranks.
std::string scaling_table(const ScalingTitle& title, const MachineCosts& costs,
                          const ScalingRow& single, const std::vector<ScalingRow>& rows);

}  // namespace tessera

#include "tessera/distributed/detail/scaling_model.hpp"  // IWYU pragma: export
