// SPDX-License-Identifier: BSD-3-Clause
#include "spline.hpp"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

using tessera::Tensor;

namespace {

class Spline : public torch::autograd::Function<Spline> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& u,
                        const Tensor& values, double spacing) {
    const Tensor contiguous = u.contiguous();
    const Tensor knots = values.contiguous();
    context->save_for_backward({contiguous, knots});
    context->saved_data["spacing"] = spacing;
    Tensor result = at::empty_like(contiguous);
    const auto* at = contiguous.const_data_ptr<float>();
    const auto* phi = knots.const_data_ptr<float>();
    auto* out = result.mutable_data_ptr<float>();
    const Places places(knots, spacing);
    for (std::int64_t i = 0; i < contiguous.numel(); ++i) {
      const auto [knot, part] = places.of(at[i]);
      out[i] = std::copysign(1.0F, at[i]) * (phi[knot] + part * (phi[knot + 1] - phi[knot]));
    }
    return result;
  }

  static std::vector<Tensor> backward(torch::autograd::AutogradContext* context,
                                      const std::vector<Tensor>& gradients) {
    const std::vector<Tensor> saved = context->get_saved_variables();
    const double spacing = context->saved_data["spacing"].toDouble();
    const Tensor gradient = gradients[0].contiguous();
    Tensor of_u = at::empty_like(saved[0]);
    Tensor of_values = at::zeros({saved[1].numel()}, at::kDouble);
    const auto* at = saved[0].const_data_ptr<float>();
    const auto* phi = saved[1].const_data_ptr<float>();
    const auto* above = gradient.const_data_ptr<float>();
    auto* u = of_u.mutable_data_ptr<float>();
    auto* values = of_values.mutable_data_ptr<double>();
    const Places places(saved[1], spacing);
    for (std::int64_t i = 0; i < gradient.numel(); ++i) {
      const auto [knot, part] = places.of(at[i]);
      const float signed_above = std::copysign(1.0F, at[i]) * above[i];
      u[i] = part < 1.0F ? above[i] * (phi[knot + 1] - phi[knot]) / places.spacing : 0.0F;
      values[knot] += static_cast<double>(signed_above * (1 - part));
      values[knot + 1] += static_cast<double>(signed_above * part);
    }
    return {of_u, of_values.to(at::kFloat), Tensor()};
  }

 private:
  struct Places {
    Places(const Tensor& values, double step)
        : spacing(static_cast<float>(step)), parts(values.numel() - 1) {}

    /// The knot to the left of |u|, but not the last, and the part of the way to the next.
    std::pair<std::int64_t, float> of(float u) const {
      const float position = std::min(std::abs(u) / spacing, static_cast<float>(parts));
      const auto knot = std::min(static_cast<std::int64_t>(position), parts - 1);
      return {knot, position - static_cast<float>(knot)};
    }

    float spacing;
    std::int64_t parts;
  };
};

}  // namespace

Tensor odd_spline(const Tensor& u, const Tensor& values, float spacing) {
  return Spline::apply(u, values, static_cast<double>(spacing));
}
