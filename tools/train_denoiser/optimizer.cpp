// SPDX-License-Identifier: BSD-3-Clause
#include "optimizer.hpp"

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "adam.hpp"

using tessera::Tensor;

namespace {

constexpr double muon_momentum = 0.95;

/// A matrix with the singular vectors of `matrix` and singular values near 1.
Tensor orthogonalised(const Tensor& matrix) {
  const bool tall = matrix.size(0) > matrix.size(1);
  Tensor x = tall ? matrix.t() : matrix;
  x = x / (x.norm().item<double>() + 1e-12);
  for (int iteration = 0; iteration < 5; ++iteration) {
    const Tensor gram = at::mm(x, x.t());
    const Tensor polynomial = at::addmm(gram, gram, gram, -4.7750, 2.0315);
    x = at::addmm(x, polynomial, x, 3.4445);
  }
  return tall ? x.t() : x;
}

bool is_hidden(const Parameters::Part& part) {
  return part.shape.size() == 4 && part.name != "m_head.weight" && part.name != "m_tail.weight";
}

}  // namespace

Optimizer::Optimizer(const Parameters& parameters, bool muon, double weight_decay)
    : parameters_(parameters),
      muon_(muon),
      weight_decay_(weight_decay),
      first_(at::zeros({parameters.size()}, at::kFloat)),
      second_(at::zeros({parameters.size()}, at::kFloat)) {}

void Optimizer::muon_step(const Tensor& flat, const Tensor& gradient, const Parameters::Part& part,
                          double learning_rate) {
  const Tensor slope = gradient.narrow(0, part.offset, part.size);
  const Tensor momentum = first_.narrow(0, part.offset, part.size);
  momentum.lerp_(slope, 1 - muon_momentum);
  const Tensor ahead = slope.lerp(momentum, muon_momentum);
  const Tensor matrix = ahead.view({part.shape[0], -1});
  const double larger = static_cast<double>(std::max(matrix.size(0), matrix.size(1)));
  flat.narrow(0, part.offset, part.size)
      .add_(orthogonalised(matrix).reshape({-1}), -learning_rate * 0.2 * std::sqrt(larger));
}

void Optimizer::step(const Tensor& flat, const Tensor& gradient, double learning_rate) {
  ++steps_;
  flat.mul_(1 - learning_rate * weight_decay_);
  const auto adam = [&](std::int64_t offset, std::int64_t size) {
    adam_step(flat.narrow(0, offset, size), gradient.narrow(0, offset, size),
              {first_.narrow(0, offset, size), second_.narrow(0, offset, size)}, steps_,
              learning_rate);
  };
  if (!muon_) return adam(0, parameters_.size());
  for (const Parameters::Part& part : parameters_.parts()) {
    if (is_hidden(part)) {
      muon_step(flat, gradient, part, learning_rate);
    } else {
      adam(part.offset, part.size);
    }
  }
}
