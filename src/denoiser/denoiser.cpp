#include "tessera/denoiser/denoiser.hpp"

namespace tessera {

Tensor Denoiser::denoise(const Tensor& x, const NoiseLevel& sigma) const {
  check_image(x, name() + ".denoise: x");
  sigma.check_fits(x, name() + ".denoise");
  Tensor result = do_denoise(x, sigma);
  check_like(result, x, name() + ".denoise: the result");
  return result;
}

}  // namespace tessera
