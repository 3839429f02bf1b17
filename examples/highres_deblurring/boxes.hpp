// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "options.hpp"
#include "problem.hpp"
#include "restoration/scaling.hpp"
#include "restoration/supervised_run.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/physics/linear_physics.hpp"

/// The problem and the parts of a run for --distribute-image: each rank holds a box of the image,
/// and no rank all of it.

/// What the solver is made of.
struct RunParts {
  tessera::LinearPhysicsPtr physics;
  tessera::DenoiserPtr denoiser;
  tessera::LinearPhysicsPtr differences;  ///< of total variation, on boxes; else null
};

/// Collective. read_source(); with --distribute-image of a .npy truth and of a TIFF photograph
/// their shape alone; another photograph is decoded on the first rank, the only one that has it
/// whole.
Source read_source(const Options& options, tessera::Communicator& ranks);

/// Local. Whether the method calls the denoiser on images.
bool denoises(const Options& options);

/// Local. Whether the denoiser exchanges features between its layers on so many ranks. Throws
/// error::InvalidArgument where it cannot and --denoiser-halo asks for it.
bool by_layers(const Options& options, const tessera::Denoiser& network, int ranks);

/// Local. How images of this shape are cut: at multiples of what the denoiser or the wavelets and
/// the frames ask for.
tessera::BoxSpaceOptions box_options(const Options& options, at::IntArrayRef image,
                                     const tessera::Denoiser& network, int ranks);

/// Collective. The boxes and all that is on them: truth, measurements, operators, denoiser. Tells
/// in run.outcome(), and on the first rank, how the image is cut.
///
/// Measurements are computed in double precision and rounded once their noise is added, which is
/// drawn by the number of a pixel: they depend on neither ranks nor cuts.
RunParts make_boxed_parts(Options& options, Source source, const tessera::DenoiserPtr& network,
                          restoration::SupervisedRun& run);

/// Local. What --plan asks of images of the shape `image`, (1, 3, H, W): by context and layer by
/// layer, unless --denoiser-halo chooses one.
restoration::BoxScalingQuestion plan_of_boxes(const Options& options,
                                              const restoration::ScalingQuestion& run,
                                              const tessera::Extents& image);
