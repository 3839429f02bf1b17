// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tessera/core/tensor.hpp"
#include "tessera/denoiser/denoiser.hpp"
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

}  // namespace restoration
