// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/linear_operator.hpp"

namespace tessera {

/// y = m x, pixel by pixel: inpainting where m is 0 and 1, vignetting or apodisation otherwise.
class Masking : public LinearOperator {
 public:
  /// `mask`: boolean or floating, (1 or B, 1 or C, spatial...).
  explicit Masking(Tensor mask);

  std::string name() const override { return "masking"; }
  const Tensor& mask() const { return mask_; }

 private:
  inline Tensor do_apply(const Tensor& x) const override;
  inline Tensor do_apply_adjoint(const Tensor& v) const override;
  /// The largest square in the mask.
  inline std::optional<double> do_norm_squared(const Tensor& x) const override;
  Tensor product(const Tensor& image, const char* what) const;

  Tensor mask_;
};

inline Masking::Masking(Tensor mask) : mask_(std::move(mask)) {
  const bool ok = mask_.defined() && mask_.dim() >= 3 && mask_.dim() <= 5 && mask_.numel() > 0 &&
                  (mask_.is_floating_point() || mask_.scalar_type() == at::kBool);
  if (!ok) {
    throw error::ShapeMismatch(formatted(
        "masking: the mask is {}, expected boolean or floating (1 or B, 1 or C, spatial...)",
        describe(mask_)));
  }
  if (mask_.is_floating_point()) check_finite(mask_, "masking", "the mask");
}

inline Tensor Masking::product(const Tensor& image, const char* what) const {
  bool ok = image.dim() == mask_.dim();
  for (std::int64_t d = 0; ok && d < image.dim(); ++d) {
    ok = mask_.size(d) == image.size(d) || (d < 2 && mask_.size(d) == 1);
  }
  if (!ok) {
    throw error::ShapeMismatch(formatted("masking.{} is {}, which the mask {} does not fit", what,
                                         describe(image), to_string(mask_.sizes())));
  }
  return image * mask_.to(image.options());
}

inline Tensor Masking::do_apply(const Tensor& x) const {
  return product(x, "forward: x");
}

inline Tensor Masking::do_apply_adjoint(const Tensor& v) const {
  return product(v, "adjoint: v");
}

inline std::optional<double> Masking::do_norm_squared(const Tensor& /*x*/) const {
  return mask_.to(at::kDouble).square().max().item<double>();
}

}  // namespace tessera
