#pragma once

#include "tessera/denoiser/denoiser.hpp"
#include "tessera/prior/prior.hpp"

namespace tessera {

/// A denoiser in the place of a proximal operator (Venkatakrishnan, Bouman, Wohlberg,
/// "Plug-and-Play priors for model based reconstruction", GlobalSIP 2013).
class PlugAndPlay : public Prior {
 public:
  /// Always denoises at level `sigma`, whatever the step: the usual proximal-gradient PnP.
  static PlugAndPlay fixed(DenoiserPtr denoiser, NoiseLevel sigma);
  /// Denoises at level sqrt(step): the proximal operator of step * g is the denoiser for noise of
  /// variance step, which is what half-quadratic splitting asks for.
  static PlugAndPlay matched(DenoiserPtr denoiser);

  std::string name() const override;
  bool follows_step() const override { return !sigma_; }
  const Denoiser& denoiser() const { return *denoiser_; }
  Communicator& communicator() const override { return denoiser_->communicator(); }

 private:
  PlugAndPlay(DenoiserPtr denoiser, std::optional<NoiseLevel> sigma);
  Tensor do_prox(const Tensor& z, double step) const override;

  DenoiserPtr denoiser_;
  std::optional<NoiseLevel> sigma_;  // nullopt: matched to the step
};

}  // namespace tessera
