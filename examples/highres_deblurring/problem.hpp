// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "options.hpp"
#include "restoration/photograph.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/noise.hpp"

/// The problems: a photograph, and directional Gaussian blurs of it, or frames of lower resolution.
/// Every function is local: each rank makes the same truth, and only the operators it is asked for.

/// Goes up whenever the same seed gives other noise: a checkpoint of other noise is of another run.
constexpr int noise_generator_version = 2;

/// What is read to make the truth; no image for a synthetic scene.
using Source = restoration::Photograph;

/// Reads the photograph or the .npy file that the options name. Throws for values that are not
/// finite or on another scale than 0 to 1.
Source read_source(const Options& options);

/// The shape of the truth, (1, 3, H, W), without making it: a multiple of options.factor where
/// frames have a lower resolution. Sets options.image_size to the larger side of a .npy truth,
/// unless it was given.
std::vector<std::int64_t> truth_shape(Options& options, const Source& source);

/// The image to recover, of truth_shape(): the .npy file as it is, the photograph scaled so that
/// its larger side is options.image_size (bicubic, antialiased), or a synthetic scene.
tessera::Tensor make_truth(Options& options, const Source& source);

/// Operator `index` of options.num_operators, with its noise: stream `index` of the seed, then
/// clamped to [0, 1].
///
/// highres_blur: a Gaussian blur with standard deviations 0.01 and 0.005 of the image size, its
/// angle spread evenly over [0, 180] degrees. Both ends are included, so the first and the last
/// operator are the same blur. multiframe_superres: a Gaussian blur with a standard deviation of 1
/// pixel, 5 x 5, of which every factor-th pixel is measured.
std::unique_ptr<tessera::LinearOperator> make_operator(const Options& options, std::int64_t index);

/// The kernel of operator `index`, (1, 1, h, w), and its noise.
tessera::Tensor make_kernel(const Options& options, std::int64_t index, at::TensorOptions type);
tessera::NoisePtr make_noise(const Options& options, std::int64_t index);

/// The CPU, or the GPU of this process: ranks of a host take its GPUs in turn.
at::Device device(const Options& options);
