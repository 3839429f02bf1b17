// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>

#include "tessera/core/error.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/prior/prior.hpp"

namespace tessera {

/// A denoiser as proximal operator (Venkatakrishnan, Bouman, Wohlberg,
/// "Plug-and-Play priors for model based reconstruction", GlobalSIP 2013).
class PlugAndPlay : public Prior {
 public:
  /// Always denoises at level `sigma`, for every step: the usual proximal-gradient PnP.
  static PlugAndPlay fixed(DenoiserPtr denoiser, NoiseLevel sigma);
  /// Denoises at level sqrt(step): the proximal operator of step * g is the denoiser for noise of
  /// variance step, which is what half-quadratic splitting asks for.
  static PlugAndPlay matched(DenoiserPtr denoiser);

  inline std::string name() const override;
  /// False if the level is fixed, and for a denoiser that takes none.
  bool follows_step() const override { return !sigma_ && denoiser_->follows_level(); }
  const Denoiser& denoiser() const { return *denoiser_; }
  Communicator& communicator() const override { return denoiser_->communicator(); }
  const ImageSpace& space() const override { return denoiser_->space(); }

 private:
  PlugAndPlay(DenoiserPtr denoiser, std::optional<NoiseLevel> sigma);
  inline Tensor do_prox(const Tensor& z, double step) const override;

  DenoiserPtr denoiser_;
  std::optional<NoiseLevel> sigma_;  // nullopt: matched to the step
};

inline PlugAndPlay::PlugAndPlay(DenoiserPtr denoiser, std::optional<NoiseLevel> sigma)
    : denoiser_(std::move(denoiser)), sigma_(std::move(sigma)) {
  if (!denoiser_) throw error::InvalidArgument("PlugAndPlay: denoiser is null");
}

inline PlugAndPlay PlugAndPlay::fixed(DenoiserPtr denoiser, NoiseLevel sigma) {
  return {std::move(denoiser), std::move(sigma)};
}

inline PlugAndPlay PlugAndPlay::matched(DenoiserPtr denoiser) {
  return {std::move(denoiser), std::nullopt};
}

inline std::string PlugAndPlay::name() const {
  return "plug_and_play(" + denoiser_->name() + ")";
}

inline Tensor PlugAndPlay::do_prox(const Tensor& z, double step) const {
  return denoiser_->denoise(z, sigma_ ? *sigma_ : NoiseLevel(std::sqrt(step)));
}

}  // namespace tessera
