#include "tessera/prior/red.hpp"

#include "tessera/core/error.hpp"

namespace tessera {

RED::RED(DenoiserPtr denoiser, NoiseLevel sigma)
    : denoiser_(std::move(denoiser)), sigma_(std::move(sigma)) {
  if (!denoiser_) throw error::InvalidArgument("RED: denoiser is null");
}

std::string RED::name() const {
  return "red(" + denoiser_->name() + ")";
}

std::optional<double> RED::value(const Tensor& x) const {
  return 0.5 * (x * gradient(x)).sum().item<double>();
}

Tensor RED::do_gradient(const Tensor& x) const {
  return x - denoiser_->denoise(x, sigma_);
}

}  // namespace tessera
