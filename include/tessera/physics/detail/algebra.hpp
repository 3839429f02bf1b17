// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/fft_fftn.h>
#include <ATen/ops/fft_irfftn.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/algebra.hpp"
#include "tessera/physics/stacked.hpp"

namespace tessera::detail {

/// A single operator: on one rank, or on images that ranks share out.
inline void check_single(const LinearPhysicsPtr& one, const std::string& who) {
  if (!one) throw error::InvalidArgument(who + ": an operator is null");
  if (one->operator_count() != 1 ||
      one->communicator().size() != one->space().communicator().size()) {
    throw error::InvalidArgument(
        formatted("{}: {} is {} operators on {} ranks, expected one on one", who, one->name(),
                  one->operator_count(), one->communicator().size()));
  }
}

/// Both on images that are whole, or shared out in one way.
inline void check_one_space(const LinearPhysics& a, const LinearPhysics& b, const char* who) {
  if (&a.space() == &b.space()) return;
  throw error::InvalidArgument(
      formatted("{}: {} and {} are for images that are shared out in different ways, expected one "
                "space",
                who, a.name(), b.name()));
}

/// True if a product with `other` keeps `shape`.
inline bool broadcasts_to(at::IntArrayRef other, at::IntArrayRef shape) {
  if (other.size() > shape.size()) return false;
  const at::IntArrayRef last = shape.slice(shape.size() - other.size());
  for (std::size_t d = 0; d < other.size(); ++d) {
    if (other[d] != 1 && other[d] != last[d]) return false;
  }
  return true;
}

/// What is made of one physics: as many operators, on the same ranks.
class DerivedPhysics : public LinearPhysics {
 public:
  explicit DerivedPhysics(LinearPhysicsPtr base) : base_(std::move(base)) {}

  std::int64_t operator_count() const override { return base_->operator_count(); }
  std::vector<std::int64_t> held() const override { return base_->held(); }
  Communicator& communicator() const override { return base_->communicator(); }
  double measurement_weight() const override { return base_->measurement_weight(); }
  const ImageSpace& space() const override { return base_->space(); }

 protected:
  const LinearPhysics& base() const { return *base_; }

 private:
  LinearPhysicsPtr base_;
};

class ComposedPhysics final : public DerivedPhysics {
 public:
  ComposedPhysics(LinearPhysicsPtr outer, LinearPhysicsPtr inner)
      : DerivedPhysics(std::move(outer)), inner_(std::move(inner)) {}

  std::string name() const override {
    return formatted("compose({}, {})", base().name(), inner_->name());
  }
  Tensor transfer_function(const Tensor& x) const override {
    const Tensor first = inner_->transfer_function(x);
    const Tensor second = first.defined() ? base().transfer_function(x) : Tensor();
    return second.defined() ? first * second : Tensor();
  }

 private:
  Tensor inner_of(const Tensor& x) const { return inner_->forward(x).front(); }

  TensorList do_forward(const Tensor& x) const override { return base().forward(inner_of(x)); }
  TensorList do_measure(const Tensor& x) const override { return base().measure(inner_of(x)); }
  Tensor do_adjoint(const TensorList& v) const override {
    return inner_->adjoint({base().adjoint(v)});
  }
  Tensor do_normal(const Tensor& x) const override {
    return inner_->adjoint({base().normal(inner_of(x))});
  }
  /// A^T (B^T B) A: circular convolutions commute.
  NormalFilter do_normal_filter(const Tensor& x) const override {
    const Tensor transfer = inner_->transfer_function(x);
    if (!transfer.defined()) return {};
    const NormalFilter outer = base().normal_filter(x);
    if (!outer.defined() || !outer.circulant || outer.pairs) return {};
    if (outer.factor > 1) return decimated(outer, transfer);
    return NormalFilter::on_extents_of(x, outer.spectrum * squared_magnitude(transfer));
  }

  /// T^H M T, alias by alias.
  static NormalFilter decimated(const NormalFilter& outer, const Tensor& transfer) {
    const auto axes = spatial_axes(outer.transform.size());
    const Tensor response = at::fft_irfftn(transfer, outer.transform, axes);
    const Tensor t = cut_into_aliases(at::fft_fftn(response, {}, axes), outer.factor);
    return {t.conj().unsqueeze(3) * outer.spectrum * t.unsqueeze(2), outer.transform, true,
            outer.factor};
  }

  LinearPhysicsPtr inner_;
};

class ScaledPhysics final : public DerivedPhysics {
 public:
  ScaledPhysics(LinearPhysicsPtr base, double factor)
      : DerivedPhysics(std::move(base)), factor_(factor) {}

  std::string name() const override { return formatted("weighted({})", base().name()); }
  Tensor transfer_function(const Tensor& x) const override {
    const Tensor transfer = base().transfer_function(x);
    return transfer.defined() ? factor_ * transfer : Tensor();
  }

 private:
  TensorList scaled(TensorList measurements) const {
    for (Tensor& each : measurements) each = factor_ * each;
    return measurements;
  }
  TensorList do_forward(const Tensor& x) const override { return scaled(base().forward(x)); }
  TensorList do_measure(const Tensor& x) const override { return scaled(base().measure(x)); }
  Tensor do_adjoint(const TensorList& v) const override { return factor_ * base().adjoint(v); }
  Tensor do_normal(const Tensor& x) const override { return factor_ * factor_ * base().normal(x); }
  bool do_has_fused_normal(const Tensor& x) const override { return base().has_fused_normal(x); }
  NormalFilter do_normal_filter(const Tensor& x) const override {
    return factor_ * factor_ * base().normal_filter(x);
  }
  std::optional<double> do_norm_squared(const Tensor& x) const override {
    return factor_ * factor_ * base().norm_squared(x);
  }

  double factor_;
};

class WeightedPhysics final : public DerivedPhysics {
 public:
  WeightedPhysics(LinearPhysicsPtr base, TensorList weights)
      : DerivedPhysics(std::move(base)), weights_(std::move(weights)) {}

  std::string name() const override { return formatted("weighted({})", base().name()); }

 private:
  TensorList weighted(TensorList measurements, const char* function) const {
    for (std::size_t i = 0; i < measurements.size(); ++i) {
      Tensor& one = measurements[i];
      if (!broadcasts_to(weights_[i].sizes(), one.sizes())) {
        throw error::ShapeMismatch(formatted(
            "{}.{}: the weights of held operator {} are {}, which the measurement {} does not fit",
            name(), function, i, to_string(weights_[i].sizes()), describe(one)));
      }
      one = one * weights_[i].to(one.device(), c10::toRealValueType(one.scalar_type()));
    }
    return measurements;
  }
  TensorList do_forward(const Tensor& x) const override {
    return weighted(base().forward(x), "forward");
  }
  TensorList do_measure(const Tensor& x) const override {
    return weighted(base().measure(x), "measure");
  }
  Tensor do_adjoint(const TensorList& v) const override {
    TensorList products;
    check_together(*this, "adjoint",
                   [&](const std::string&) { products = weighted(v, "adjoint"); });
    return base().adjoint(products);
  }

  TensorList weights_;
};

/// Each operator times its number; null for a physics that is on several ranks.
inline LinearPhysicsPtr scaled_each(const LinearPhysicsPtr& physics, const TensorList& numbers) {
  if (physics->communicator().size() > 1) return nullptr;
  const auto scaled = [&](const LinearPhysicsPtr& one, std::size_t i) {
    return std::make_shared<ScaledPhysics>(one, numbers[i].item<double>());
  };
  if (const auto* stack = dynamic_cast<const StackedPhysics*>(physics.get())) {
    std::vector<LinearPhysicsPtr> each;
    for (const LinearPhysicsPtr& one : stack->operators()) each.push_back(scaled(one, each.size()));
    return std::make_shared<StackedPhysics>(std::move(each));
  }
  return physics->operator_count() == 1 ? scaled(physics, 0) : nullptr;
}

class SummedPhysics final : public LinearPhysics {
 public:
  explicit SummedPhysics(std::vector<LinearPhysicsPtr> operators)
      : operators_(std::move(operators)) {}

  std::string name() const override {
    std::vector<std::string> names;
    for (const LinearPhysicsPtr& one : operators_) names.push_back(one->name());
    return formatted("sum({})", joined(names, ", "));
  }
  Communicator& communicator() const override { return operators_.front()->communicator(); }
  const ImageSpace& space() const override { return operators_.front()->space(); }
  Tensor transfer_function(const Tensor& x) const override {
    Tensor total;
    for (const LinearPhysicsPtr& one : operators_) {
      const Tensor transfer = one->transfer_function(x);
      if (!transfer.defined()) return {};
      total = total.defined() ? total + transfer : transfer;
    }
    return total;
  }

 private:
  template <typename Measurement>
  TensorList total(const Measurement& measurement_of) const {
    Tensor all = measurement_of(*operators_.front());
    for (std::size_t i = 1; i < operators_.size(); ++i) {
      const Tensor more = measurement_of(*operators_[i]);
      check_like(more, all, formatted("{}: the measurement of {}", name(), operators_[i]->name()));
      all = all + more;
    }
    return {all};
  }
  TensorList do_forward(const Tensor& x) const override {
    return total([&](const LinearPhysics& one) { return one.forward(x).front(); });
  }
  TensorList do_measure(const Tensor& x) const override {
    return total([&](const LinearPhysics& one) { return one.measure(x).front(); });
  }
  Tensor do_adjoint(const TensorList& v) const override {
    return total([&](const LinearPhysics& one) { return one.adjoint(v); }).front();
  }
  NormalFilter do_normal_filter(const Tensor& x) const override {
    const Tensor transfer = transfer_function(x);
    if (!transfer.defined()) return {};
    return NormalFilter::on_extents_of(x, squared_magnitude(transfer));
  }

  std::vector<LinearPhysicsPtr> operators_;
};

}  // namespace tessera::detail

namespace tessera {

inline LinearPhysicsPtr compose(LinearPhysicsPtr outer, LinearPhysicsPtr inner) {
  if (!outer) throw error::InvalidArgument("compose: the outer operator is null");
  detail::check_single(inner, "compose");
  detail::check_one_space(*outer, *inner, "compose");
  return std::make_shared<detail::ComposedPhysics>(std::move(outer), std::move(inner));
}

inline LinearPhysicsPtr weighted(LinearPhysicsPtr physics, double weight) {
  if (!physics) throw error::InvalidArgument("weighted: the operator is null");
  if (!std::isfinite(weight)) {
    throw error::InvalidArgument(
        formatted("weighted: weight is {}, expected a finite number", weight));
  }
  return std::make_shared<detail::ScaledPhysics>(std::move(physics), weight);
}

inline LinearPhysicsPtr weighted(LinearPhysicsPtr physics, TensorList weights) {
  if (!physics) throw error::InvalidArgument("weighted: the operator is null");
  if (weights.size() != physics->held().size()) {
    throw error::InvalidArgument(
        formatted("weighted: got {} weights, expected {}, one per held "
                  "operator",
                  weights.size(), physics->held().size()));
  }
  for (const Tensor& each : weights) {
    if (!each.defined() || !each.is_floating_point()) {
      throw error::ShapeMismatch(
          formatted("weighted: a weight is {}, expected a real floating tensor", describe(each)));
    }
    check_finite(each, "weighted", "a weight");
  }
  const bool are_numbers = std::all_of(weights.begin(), weights.end(),
                                       [](const Tensor& each) { return each.numel() == 1; });
  const LinearPhysicsPtr scaled =
      are_numbers ? detail::scaled_each(physics, weights) : LinearPhysicsPtr();
  if (scaled) return scaled;
  return std::make_shared<detail::WeightedPhysics>(std::move(physics), std::move(weights));
}

inline LinearPhysicsPtr weighted(LinearPhysicsPtr physics, const Tensor& weight) {
  return weighted(std::move(physics), TensorList{weight});
}

inline LinearPhysicsPtr sum(std::vector<LinearPhysicsPtr> operators) {
  if (operators.empty()) {
    throw error::InvalidArgument("sum: needs at least one operator, got none");
  }
  for (const LinearPhysicsPtr& one : operators) {
    detail::check_single(one, "sum");
    detail::check_one_space(*operators.front(), *one, "sum");
  }
  return std::make_shared<detail::SummedPhysics>(std::move(operators));
}

}  // namespace tessera
