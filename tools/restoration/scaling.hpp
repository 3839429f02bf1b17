// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

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
  /// The first operator, on boxes. Those of several are exchanged together.
  std::function<tessera::LinearPhysicsPtr(const tessera::BoxSpacePtr&)> shared;
  std::int64_t alignment = 1;  ///< of boxes, beside what the network asks for
  bool by_context = true;      ///< whether to predict the denoiser by tiles
  bool by_layers = true;       ///< and layer by layer, where it can
};

/// Local. The same for boxes: a table for tiles with context, one for layer by layer. What ranks
/// would communicate is counted in a rehearsal of one gradient and one denoising of a rank in the
/// middle (tessera::Rehearsal), on a smaller image where boxes are large. Leaves out numbers of
/// ranks that are too large for the image.
std::string predict_box_scaling(const BoxScalingQuestion& question);

}  // namespace restoration
