// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/zeros.h>

#include <utility>
#include <vector>

#include "tensors.hpp"
#include "tessera/physics/linear_operator.hpp"

namespace test {

/// The whole convolution with a kernel of h x w numbers, from the definition: an image of H x W
/// pixels gives (H + h - 1) x (W + w - 1). A^T A is Toeplitz: the autocorrelation of the kernel,
/// for which the opposite side of an image does not exist.
class FullConvolution : public tessera::LinearOperator {
 public:
  explicit FullConvolution(Tensor kernel) : kernel_(std::move(kernel)) {}
  /// A kernel of 3 x 4 numbers that `index` decides.
  explicit FullConvolution(std::int64_t index)
      : FullConvolution(indexed({3, 4}, 0.3 + static_cast<double>(index))) {}
  std::string name() const override { return "full_convolution"; }

 private:
  /// Calls visit(h[i][j], the part of the whole result that h[i][j] x is added to).
  template <typename Visit>
  void each(const Tensor& whole, std::int64_t height, std::int64_t width,
            const Visit& visit) const {
    for (std::int64_t i = 0; i < kernel_.size(0); ++i) {
      for (std::int64_t j = 0; j < kernel_.size(1); ++j)
        visit(kernel_[i][j].item<double>(), whole.narrow(2, i, height).narrow(3, j, width));
    }
  }
  Tensor do_apply(const Tensor& x) const override {
    const Tensor whole = at::zeros(
        {x.size(0), x.size(1), x.size(2) + kernel_.size(0) - 1, x.size(3) + kernel_.size(1) - 1},
        x.options());
    each(whole, x.size(2), x.size(3),
         [&](double weight, const Tensor& part) { part.add_(x, weight); });
    return whole;
  }
  Tensor do_apply_adjoint(const Tensor& v) const override {
    const Tensor image = at::zeros(
        {v.size(0), v.size(1), v.size(2) - kernel_.size(0) + 1, v.size(3) - kernel_.size(1) + 1},
        v.options());
    each(v, image.size(2), image.size(3),
         [&](double weight, const Tensor& part) { image.add_(part, weight); });
    return image;
  }
  tessera::NormalFilter do_normal_filter(const Tensor& x) const override {
    const std::vector<std::int64_t> transform = {2 * x.size(2), 2 * x.size(3)};
    const std::vector<std::int64_t> axes = {2, 3};
    const auto type = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const Tensor kernel = kernel_.to(x.device(), type).unsqueeze(0).unsqueeze(0);
    return {at::fft_rfftn(kernel, transform, axes).abs().square(), transform, false};
  }

  Tensor kernel_;
};

}  // namespace test
