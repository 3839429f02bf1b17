#pragma once

#include <optional>

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
  Tensor do_apply(const Tensor& x) const override;
  Tensor do_apply_adjoint(const Tensor& v) const override;
  /// The largest square in the mask.
  std::optional<double> do_norm_squared(const Tensor& x) const override;
  Tensor product(const Tensor& image, const char* what) const;

  Tensor mask_;
};

}  // namespace tessera
