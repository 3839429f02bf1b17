// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/fourier/interferometer.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/solver/solver.hpp"

/// What the snippets of the pages do, put into functions: see the files <page>.cpp.in.
namespace pages {

/// README.md on one rank.
tessera::Tensor restore_alone(const tessera::TensorList& photographs,
                              const std::vector<tessera::LinearPhysicsPtr>& blurs);
/// Collective. README.md on many ranks.
tessera::Tensor restore_on_ranks(const tessera::TensorList& photographs,
                                 const std::vector<tessera::LinearPhysicsPtr>& blurs,
                                 const tessera::CommunicatorPtr& world);

/// What write_an_operator.md computes for the image `truth`.
struct OwnOperator {
  double adjoint_error = 0;
  double norm_squared = 0;
  double fidelity_of_truth = 0;
  tessera::Tensor least_squares;
};
OwnOperator own_operator(const tessera::Tensor& truth);

/// Collective if the physics is distributed. choose_a_solver.md.
tessera::Tensor from_counts(const tessera::LinearPhysicsPtr& physics,
                            const tessera::TensorList& counts, const tessera::Tensor& start);

/// Collective. What the denoiser of write_a_denoiser.md, and what is made of it, give for `noisy`.
struct OwnDenoiser {
  tessera::Tensor whole;
  tessera::Tensor tiled;
  tessera::Tensor fixed;    ///< at level 0.05
  tessera::Tensor matched;  ///< at `level`
  tessera::Tensor red;      ///< noisy - denoised at level 0.05
};
OwnDenoiser own_denoiser(const tessera::Tensor& noisy, double level,
                         const tessera::CommunicatorPtr& ranks);

/// Collective. sharded_images.md: what start becomes, whole again.
tessera::Tensor restored_box(const tessera::TensorList& photographs, const tessera::Tensor& start,
                             const tessera::Tensor& first_kernel,
                             const tessera::Tensor& second_kernel,
                             const tessera::DenoiserPtr& network,
                             const tessera::CommunicatorPtr& world);

/// Collective. What reconstruct_a_scan.md makes of the exact scan of `truth`, a square image.
struct Scan {
  tessera::Tensor filtered;
  tessera::Tensor shared_filtered;
  tessera::Tensor variation;
  tessera::Tensor least_squares;
  tessera::Tensor shared_least_squares;
  tessera::Tensor plug_and_play;
};
Scan scan(const tessera::Tensor& truth, const tessera::CommunicatorPtr& ranks);

/// By the grey network of weights.md.
tessera::Tensor denoised_grey(const tessera::Tensor& x, double sigma);
/// The gradient of the ridge prior of weights.md.
tessera::Tensor ridge_gradient(const tessera::Tensor& x);

/// Collective. checkpoint.md: goes on from run.checkpoint in the working directory.
tessera::SolveResult resumed(const tessera::Solver& solver, const tessera::Tensor& x0,
                             const tessera::Tensor& truth, const tessera::CommunicatorPtr& world);

/// Collective. reading_results.md: writes the folder `results` in the working directory.
void recorded(const tessera::Solver& solver, const tessera::Tensor& x0,
              const tessera::Tensor& truth, const tessera::CommunicatorPtr& world,
              const tessera::DataFidelity& fidelity, const tessera::DenoiserPtr& denoiser);

/// Collective. What magnetic_resonance.md computes.
struct MagneticResonance {
  tessera::Tensor image;
  tessera::Tensor normal;    ///< A^T A of `image`, by coils over ranks
  tessera::Tensor measured;  ///< of `image` at `points`
  tessera::Tensor gradient;  ///< there, with coils, of data without noise: zero
};
MagneticResonance magnetic_resonance(const tessera::Tensor& kspace, const tessera::Tensor& mask,
                                     const tessera::Tensor& image, const tessera::Tensor& points,
                                     const tessera::CommunicatorPtr& ranks);

/// Collective. radio_interferometry.md.
tessera::Tensor radio_interferometry(const tessera::Visibilities& mine, std::int64_t extent,
                                     double cell_radians, const tessera::CommunicatorPtr& ranks);

}  // namespace pages
