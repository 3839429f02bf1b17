#pragma once

#include <memory>

#include "options.hpp"
#include "tessera/physics/linear_operator.hpp"

/// The high-resolution deblurring problem: a photograph, and directional Gaussian blurs of it.
/// Every function is local: each rank makes the same truth, and only the operators it is asked for.

/// Goes up whenever the same seed gives other noise: a checkpoint of other noise is of another run.
constexpr int noise_generator_version = 2;

/// The image to recover, (1, 3, H, W) with larger side options.image_size: from the .npy file, the
/// photograph (bicubic, antialiased), or a synthetic scene. Sets options.image_size to the larger
/// side of a .npy truth, unless it was given.
tessera::Tensor make_truth(Options& options);

/// Operator `index` of options.num_operators: a circular Gaussian blur with standard deviations
/// 0.01 and 0.005 of the image size, its angle spread evenly over [0, 180] degrees. Both ends are
/// included, so the first and the last operator are the same blur. Noise: Gaussian, stream
/// `index` of the seed, then clamped to [0, 1].
std::unique_ptr<tessera::LinearOperator> make_blur(const Options& options, std::int64_t index);

/// The measurements of the operators `held`, in that order: read from options.measurements.
tessera::TensorList read_measurements(const Options& options, const std::vector<std::int64_t>& held,
                                      const tessera::Tensor& truth);

at::ScalarType scalar_type(const Options& options);
/// The CPU, or the GPU of this process: ranks of a host take its GPUs in turn.
at::Device device(const Options& options);
