#include "tessera/metric/psnr.hpp"

#include <ATen/ops/log10.h>

#include "tessera/core/check.hpp"

namespace tessera {

Tensor mse(const Tensor& image, const Tensor& reference) {
  check_image(image, "mse: image");
  check_like(reference, image, "mse: reference");
  const at::ScalarType type = c10::promoteTypes(image.scalar_type(), at::kFloat);
  const Tensor difference = image.to(type) - reference.to(type);
  return difference.square().flatten(1).mean(1, false, at::kDouble);
}

Tensor psnr(const Tensor& image, const Tensor& reference, double range) {
  check_positive(range, "psnr", "range");
  return 10 * at::log10(range * range / mse(image, reference));
}

}  // namespace tessera
