// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

#include "tessera/denoiser/denoiser.hpp"

namespace tessera {

/// How the channels of an image share their edges.
enum class ChannelCoupling {
  joint,     ///< one norm over directions and channels: edges fall together, colours do not fringe
  separate,  ///< each channel is an image of its own
};

struct TotalVariationOptions {
  ChannelCoupling channels = ChannelCoupling::joint;

  /// Weight per unit of noise level (and, with joint channels, per square root of their number, as
  /// the noise's gradients grow): denoise(x, sigma) minimises with weight = weight_per_sigma *
  /// sigma [* sqrt(C)]. The default suits photographs at sigma 15 to 50 / 255 (up to
  /// 0.6 dB below the best seen); more for smooth images (1.0), less for finely textured ones
  /// (0.6).
  double weight_per_sigma = 0.8;

  /// Stops when the duality gap is at most this part of the objective. The squared distance to the
  /// exact minimiser is at most twice the gap.
  double relative_gap = 1e-3;
  std::int64_t max_iterations = 1000;
};

/// A minimiser and how good it is.
struct TotalVariationSolution {
  Tensor image;
  std::int64_t iterations = 0;  ///< most over the batch
  double relative_gap = 0;      ///< largest over the batch
  bool converged = false;       ///< the gap asked for was reached, for every image
};

/// Denoising by total variation: the minimiser of 0.5 ||u - z||^2 + weight TV(u), where TV(u) sums
/// over pixels the Euclidean norm of the forward differences, zero across the far borders (Rudin,
/// Osher, Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D 60, 1992;
/// joint channels: Bresson, Chan, "Fast dual minimization of the vectorial total variation norm",
/// IPI 2, 2008). One to three spatial dimensions.
///
/// Solved by accelerated projected gradient steps on the dual (Beck, Teboulle, "Fast gradient-based
/// algorithms for constrained total variation image denoising and deblurring problems", TIP 18,
/// 2009), with the momentum (k - 1) / (k + 3) (Chambolle, Dossal, JOTA 166, 2015). Images of a
/// batch are solved one after the other, so that a result does not depend on its neighbours. Half
/// precisions are solved in float32.
///
/// Differentiable in z when gradients are asked for: the graph of all steps is kept, which takes
/// much memory.
class TotalVariation : public Denoiser {
 public:
  /// Throws error::InvalidArgument for a negative weight or gap, or a count below 1.
  explicit TotalVariation(TotalVariationOptions options = {});

  const TotalVariationOptions& options() const { return options_; }
  std::string name() const override { return "tv"; }
  inline std::optional<double> memory_estimate(at::IntArrayRef shape) const override;

  /// The minimiser for a weight: a number, one per image, or a map that weighs each pixel's term.
  TotalVariationSolution solve(const Tensor& z, const NoiseLevel& weight) const;

  /// TV(x), summed over the batch.
  double value(const Tensor& x) const;

  /// The weight that denoise uses for this noise level and image.
  NoiseLevel weight(const NoiseLevel& sigma, const Tensor& x) const;

 private:
  inline Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override;

  TotalVariationOptions options_;
};

}  // namespace tessera

#include "tessera/denoiser/detail/total_variation.hpp"
