#pragma once

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

  std::string name() const override;
  /// Collective if the denoiser is distributed: one denoising.
  std::optional<double> value(const Tensor& x) const override;
  Communicator& communicator() const override { return denoiser_->communicator(); }
  const Denoiser& denoiser() const { return *denoiser_; }

 private:
  Tensor do_gradient(const Tensor& x) const override;

  DenoiserPtr denoiser_;
  NoiseLevel sigma_;
};

}  // namespace tessera
