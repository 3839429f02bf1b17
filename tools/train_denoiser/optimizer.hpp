// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "parameters.hpp"
#include "tessera/core/tensor.hpp"

/// Adam with decoupled weight decay (Loshchilov, Hutter, "Decoupled weight decay regularization",
/// ICLR 2019); or, for the kernels between hidden features, momentum whose matrix (outputs by
/// inputs) is orthogonalised by five Newton-Schulz steps: Muon (Jordan et al., "Muon: an optimizer
/// for hidden layers in neural networks", 2024), scaled to Adam's size of step (Liu et al., "Muon
/// is scalable for LLM training", 2025), so that both share one learning rate.
class Optimizer {
 public:
  Optimizer(const Parameters& parameters, bool muon, double weight_decay);

  /// Changes `flat` by one step against `gradient`. Both are vectors as `parameters` lays them out.
  void step(const tessera::Tensor& flat, const tessera::Tensor& gradient, double learning_rate);

  /// Its whole memory beside the number of steps done: to be saved, and copied into.
  tessera::Tensor& first_moment() { return first_; }
  tessera::Tensor& second_moment() { return second_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  void muon_step(const tessera::Tensor& flat, const tessera::Tensor& gradient,
                 const Parameters::Part& part, double learning_rate);

  const Parameters& parameters_;
  bool muon_;
  double weight_decay_;
  std::int64_t steps_ = 0;
  tessera::Tensor first_;
  tessera::Tensor second_;
};
