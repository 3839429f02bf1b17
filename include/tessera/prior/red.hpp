// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>

#include "tessera/core/error.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/prior/prior.hpp"

namespace tessera {

/// Regularisation by denoising, with a denoiser D of level sigma:
///
///   g(x) = 0.5 <x, x - D(x)>,   gradient x - D(x)
///
/// (Romano, Elad, Milanfar, "The little engine that could: regularization by denoising (RED)",
/// SIIMS 10, 2017). The gradient is that of g for a denoiser with D(c x) = c D(x) and a symmetric
/// Jacobian. Learned denoisers have neither exactly: then the gradient is still what is iterated,
/// and value() a measure of how much the denoiser would change x (Reehorst, Schniter, IEEE TCI 5,
/// 2019). No proximal operator: use it with GradientDescent.
class RED : public Prior {
 public:
  RED(DenoiserPtr denoiser, NoiseLevel sigma);

  inline std::string name() const override;
  /// Collective if the denoiser is distributed: one denoising.
  inline std::optional<double> value(const Tensor& x) const override;
  /// 1, that of a denoiser whose Jacobian has eigenvalues between 0 and 1.
  std::optional<double> gradient_lipschitz() const override { return 1.0; }
  /// The level is the denoiser's own.
  bool follows_step() const override { return false; }
  Communicator& communicator() const override { return denoiser_->communicator(); }
  const ImageSpace& space() const override { return denoiser_->space(); }
  const Denoiser& denoiser() const { return *denoiser_; }

 private:
  inline Tensor do_gradient(const Tensor& x) const override;

  DenoiserPtr denoiser_;
  NoiseLevel sigma_;
};

inline RED::RED(DenoiserPtr denoiser, NoiseLevel sigma)
    : denoiser_(std::move(denoiser)), sigma_(std::move(sigma)) {
  if (!denoiser_) throw error::InvalidArgument("RED: denoiser is null");
}

inline std::string RED::name() const {
  return "red(" + denoiser_->name() + ")";
}

inline std::optional<double> RED::value(const Tensor& x) const {
  return 0.5 * (x * gradient(x)).sum().item<double>();
}

inline Tensor RED::do_gradient(const Tensor& x) const {
  return x - denoiser_->denoise(x, sigma_);
}

}  // namespace tessera
