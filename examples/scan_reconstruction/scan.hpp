// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>

#include "options.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/run/preview.hpp"
#include "tessera/solver/clamp_range.hpp"

/// How an image is measured. Its data are options.num_operators parts, each with an operator and
/// with noise of its own: stream `index` of the seed. Every function is local but linear(): each
/// rank makes only the parts it is asked for.
class Scan {
 public:
  virtual ~Scan() = default;

  /// Part `index`, with its noise.
  std::unique_ptr<tessera::LinearOperator> part(std::int64_t index) const;

  /// Collective if the physics is distributed. The linear reconstruction from the parts that this
  /// rank holds, shaped as `like`: filtered back-projection, zero-filled image, dirty image, mean.
  virtual tessera::Tensor linear(const tessera::LinearPhysics& physics,
                                 const tessera::TensorList& measured,
                                 const tessera::Tensor& like) const = 0;
  virtual std::string linear_name() const = 0;

  /// The data of a part as a picture, intensities 0 to 1.
  virtual tessera::Panel picture(const tessera::Tensor& measured) const = 0;

 protected:
  explicit Scan(const Options& options) : options_(options) {}
  const Options& options() const { return options_; }
  /// What measurements are clamped to, noise included.
  virtual tessera::ClampRange range() const { return std::nullopt; }

 private:
  virtual std::unique_ptr<tessera::LinearOperator> make_part(std::int64_t index) const = 0;

  const Options& options_;
};

/// The scan that the options name, of images with these spatial extents. `options` must outlive it.
/// Throws error::InvalidArgument for more parts than there are views, coils or pairs of antennas.
std::unique_ptr<Scan> make_scan(const Options& options, at::IntArrayRef spatial);

/// The image to measure, (1, 1, H, W) or (1, 1, D, H, W), intensities 0 to 1, on the host: a
/// picture made grey, a .npy file, or a phantom. Sets options.image_size to the larger side.
tessera::Tensor make_truth(Options& options);
