// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include "tessera/physics/linear_physics.hpp"

namespace tessera {

/// What an interferometer measured, or the share of it that a rank holds.
struct Visibilities {
  Tensor uvw;      ///< baselines in wavelengths, floating (M, 3); the frequency is in them
  Tensor values;   ///< complex (M); only whitened() needs them
  Tensor weights;  ///< 1 / variance of each, (M), >= 0; 1 if undefined
};

struct InterferometerOptions {
  /// As that of NonuniformFourier.
  double tolerance = 1e-6;
  /// With the third coordinate, for wide fields; without, w is taken for 0.
  bool w_terms = false;
  /// Pixels are divided by n = sqrt(1 - l^2 - m^2), as a brightness is in the measurement equation;
  /// only with w_terms.
  bool divide_by_n = false;
};

/// y_k = sqrt(weight_k) sum_p x_p exp(-2 pi i (u_k l_p + v_k m_p + w_k (n_p - 1))) of real images
/// (B, C, rows, columns): l = (column - columns / 2) cell, m = (row - rows / 2) cell, halves
/// rounded down, n = sqrt(1 - l^2 - m^2). Measurements are complex (B, C, M). With whitened() data
/// L2 of sigma 1 is minus the logarithm of the likelihood; A^T of them is the dirty image, whose
/// point spread function has the sum of the weights as its peak.
///
/// Without w_terms this is a NonuniformFourier: its normal operator is a filter, gradients touch no
/// visibility. With them it is a stack of planes of constant w, each a phase screen before a
/// NonuniformFourier, between which a kernel interpolates to the same tolerance (Arras, Reinecke,
/// Westermann and Ensslin, Astron. Astrophys. 646, A58, 2021); the adjoint is exact. Its cost grows
/// with the number of planes, 2 (largest - smallest w) (1 - smallest n) + the kernel's width, and
/// it has no filter.
///
/// Over ranks: DistributedPhysics with a factory that makes each rank's operator of its own share.
/// `spatial`: rows and columns; `cell_radians`: the side of a pixel. Throws error::InvalidArgument,
/// error::ShapeMismatch for tensors, also for an image that reaches beyond the horizon.
std::unique_ptr<LinearPhysics> interferometer(const Visibilities& mine, const Extents& spatial,
                                              double cell_radians,
                                              InterferometerOptions options = {});

/// sqrt(weight) value as the measurement of interferometer(): complex (1, 1, M).
Tensor whitened(const Visibilities& mine);

}  // namespace tessera
