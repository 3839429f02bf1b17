// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "restoration/boxed_parts.hpp"
#include "tessera/comm/rehearsal.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace restoration {

/// A run of plug-and-play proximal gradient, of which the times are asked.
struct ScalingQuestion {
  std::string problem;                   ///< in words, up to the image
  tessera::Tensor image;                 ///< any of the run's shape, dtype and device
  tessera::LinearPhysicsPtr physics;     ///< stands for all operators
  std::int64_t operators = 1;            ///< how many there are
  tessera::DenoiserPtr denoiser;         ///< untiled
  double sigma = 0;                      ///< a level it is used with
  tessera::TilingOptions tiling;         ///< ranks are filled in
  std::optional<bool> shares_operators;  ///< nullopt: if there are several ranks
  std::optional<bool> shares_tiles;      ///< nullopt: if there are several ranks
  std::vector<int> ranks;                ///< numbers of them
  double bandwidth = 10;                 ///< GB/s
  double latency = 5;                    ///< microseconds
};

/// Local. Measures what an iteration costs on this machine, in less than a minute, and returns the
/// prediction for each number of ranks as text (tessera::scaling_table). Needs no MPI.
std::string predict_scaling(const ScalingQuestion& question);

/// Such a run with the image shared out in boxes.
struct BoxScalingQuestion {
  ScalingQuestion run;  ///< whose image may be smaller than the whole: costs grow with the pixels
  tessera::Extents extents;  ///< of the whole image
  /// Each of the operators, on boxes.
  std::function<SharedOperator(const tessera::BoxSpacePtr&, std::int64_t index)> shared;
  /// Bytes of the busiest of so many ranks, by context or by layers.
  std::function<double(int ranks, bool by_layers)> memory;
  std::int64_t alignment = 1;  ///< of boxes, beside what the network asks for
  bool by_context = true;      ///< whether to predict the denoiser by tiles
  bool by_layers = true;       ///< and layer by layer, where it can
};

/// Local. What a rank receives in an iteration, one gradient and one denoising of tiles with
/// context or layer by layer: counted in a rehearsal (tessera::Rehearsal), where boxes are long on
/// smaller images. Exact for halos and for boxes up to 4096 pixels along each side; what else there
/// is of larger ones is extrapolated.
tessera::RankTraffic box_traffic(const BoxScalingQuestion& question, int ranks, int rank,
                                 bool by_layers);

/// Local. The same for boxes: a table for tiles with context, one for layer by layer, with the
/// box_traffic() of a rank in the middle. Leaves out numbers of ranks that are too large for the
/// image.
std::string predict_box_scaling(const BoxScalingQuestion& question);

}  // namespace restoration
