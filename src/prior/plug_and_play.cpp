#include "tessera/prior/plug_and_play.hpp"

#include <cmath>

#include "tessera/core/error.hpp"

namespace tessera {

PlugAndPlay::PlugAndPlay(DenoiserPtr denoiser, std::optional<NoiseLevel> sigma)
    : denoiser_(std::move(denoiser)), sigma_(std::move(sigma)) {
  if (!denoiser_) throw error::InvalidArgument("PlugAndPlay: denoiser is null");
}

PlugAndPlay PlugAndPlay::fixed(DenoiserPtr denoiser, NoiseLevel sigma) {
  return {std::move(denoiser), std::move(sigma)};
}

PlugAndPlay PlugAndPlay::matched(DenoiserPtr denoiser) {
  return {std::move(denoiser), std::nullopt};
}

std::string PlugAndPlay::name() const {
  return "plug_and_play(" + denoiser_->name() + ")";
}

Tensor PlugAndPlay::do_prox(const Tensor& z, double step) const {
  return denoiser_->denoise(z, sigma_ ? *sigma_ : NoiseLevel(std::sqrt(step)));
}

}  // namespace tessera
