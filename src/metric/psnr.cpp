#include "tessera/metric/psnr.hpp"

#include <ATen/ops/log10.h>
#include <fmt/format.h>

#include "tessera/core/error.hpp"

namespace tessera {

Tensor mse(const Tensor& image, const Tensor& reference) {
  check_image(image, "mse: image");
  check_like(reference, image, "mse: reference");
  return (image - reference).square().flatten(1).mean(1, false, at::kDouble);
}

Tensor psnr(const Tensor& image, const Tensor& reference, double range) {
  if (!(range > 0))
    throw error::InvalidArgument(fmt::format("psnr: range is {}, expected > 0", range));
  return 10 * at::log10(range * range / mse(image, reference));
}

}  // namespace tessera
