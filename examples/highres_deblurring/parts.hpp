// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include "options.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/prior/prior.hpp"
#include "tessera/solver/solver.hpp"

/// The parts that the options name.

/// The blurs: all on this rank, or shared among the ranks of `world`, as options.distribute_physics
/// says.
tessera::LinearPhysicsPtr make_physics(const Options& options,
                                       const tessera::CommunicatorPtr& world);

/// The untiled denoiser. Sets options.weights to the installed weights where none were given.
tessera::DenoiserPtr make_network(Options& options);

/// Throws error::InvalidArgument, in the words of the command line, for a patch or an overlap that
/// does not fit images of the shape (1, 3, H, W).
void check_tiles_fit(const Options& options, at::IntArrayRef image);

/// How options.tiling cuts images.
tessera::TilingOptions tiling_options(const Options& options);

/// How an image's distance from the measurements is measured. Collective if the physics is
/// distributed.
tessera::DataFidelityPtr make_fidelity(const Options& options, tessera::LinearPhysicsPtr physics,
                                       tessera::TensorList measurements,
                                       const tessera::Tensor& image);

/// The denoiser as a prior.
tessera::PriorPtr make_prior(const Options& options, tessera::DenoiserPtr denoiser);

/// Proximal gradient, gradient descent, or half-quadratic splitting. `fidelity` and `prior` must
/// outlive it.
std::unique_ptr<tessera::Solver> make_solver(const Options& options,
                                             const tessera::DataFidelity& fidelity,
                                             const tessera::Prior& prior, double step);
