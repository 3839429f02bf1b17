// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/detail/image_products.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/detail/conjugate_gradient.hpp"
#include "tessera/physics/detail/normal_equations.hpp"
#include "tessera/solver/cgls.hpp"

namespace tessera {

namespace detail {

/// The entry `what` of image i of the batch among a state's numbers.
inline double& number_of(SolverState& state, const char* what, std::size_t i) {
  return state.numbers[formatted("{} {}", what, i)];
}

}  // namespace detail

inline CGLS::CGLS(const DataFidelity& fidelity, CglsOptions options)
    : Solver(options.stopping),
      fidelity_(&fidelity),
      physics_(dynamic_cast<const LinearPhysics*>(&fidelity.physics())),
      options_(options) {
  check_not_negative(options_.weight, "cgls", "weight");
  check_not_negative(options_.tolerance, "cgls", "tolerance");
  const auto* distance = dynamic_cast<const SquaredDistance*>(&fidelity.distance());
  if (physics_ == nullptr || distance == nullptr) {
    throw error::InvalidArgument(
        formatted("cgls: the fidelity has the distance {} and the physics {}, expected a "
                  "SquaredDistance and a linear physics",
                  fidelity.distance().name(), fidelity.physics().name()));
  }
  shift_ = options_.weight * distance->sigma() * distance->sigma();
}

inline TensorList CGLS::residual_of(const Tensor& x) const {
  const TensorList& y = fidelity_->measurements();
  TensorList residual = physics_->forward(x);
  for (std::size_t i = 0; i < y.size(); ++i) {
    check_finite(y[i], "cgls", formatted("the measurement of held operator {}", i));
    check_like(residual[i], y[i], formatted("cgls: the prediction of held operator {}", i));
    residual[i] = y[i] - residual[i];
  }
  return residual;
}

inline std::int64_t CGLS::groups_of(const Tensor& x) const {
  const TensorList& y = fidelity_->measurements();
  const bool is_joint = std::any_of(y.begin(), y.end(), [&](const Tensor& one) {
    return one.dim() == 0 || one.size(0) != x.size(0);
  });
  return any_rank(do_communicator(), "cgls", is_joint) ? 1 : x.size(0);
}

inline Tensor CGLS::descent(const TensorList& residual, const Tensor& x) const {
  const Tensor descent = physics_->adjoint(residual);
  return shift_ > 0 ? descent - shift_ * x : descent;
}

inline void CGLS::do_start(SolverState& state) const {
  if (state.images.count("direction") > 0) return;
  TensorList residual =
      fail_together(do_communicator(), "cgls", [&] { return residual_of(state.x); });
  const std::int64_t groups = groups_of(state.x);
  state.numbers["groups"] = static_cast<double>(groups);
  const Tensor right = physics_->adjoint(fidelity_->measurements());
  const Tensor first = descent(residual, state.x);
  const std::vector<double> scales = do_space().norm_each(right, groups);
  const std::vector<double> norms = do_space().norm_each(first, groups);
  for (std::size_t i = 0; i < scales.size(); ++i) {
    detail::number_of(state, "scale", i) = scales[i] > 0 ? scales[i] : norms[i];
    detail::number_of(state, "slope", i) = 1;
    detail::number_of(state, "norm", i) = 0;
  }
  turn(state, first);
  state.images["direction"] = first;
  state.measured["residual"] = std::move(residual);
}

inline std::vector<double> CGLS::turn(SolverState& state, const Tensor& descent) const {
  const auto groups = static_cast<std::int64_t>(state.numbers.at("groups"));
  std::vector<double> norms = do_space().norm_each(descent, groups);
  detail::share(do_communicator(), "cgls", norms);
  std::vector<double> turns(norms.size(), 0.0);
  double largest = 0;
  for (std::size_t i = 0; i < norms.size(); ++i) {
    const double scale = detail::number_of(state, "scale", i);
    const double relative = scale > 0 ? norms[i] / scale : 0;
    if (!(relative <= largest)) largest = relative;  // NaN counts as the largest
    double& slope = detail::number_of(state, "slope", i);
    const double before = std::exchange(slope, norms[i] * norms[i]);
    if (before == 0 || relative <= options_.tolerance) slope = 0;  // stays as it is from now on
    if (before != 0) turns[i] = slope / before;
  }
  state.numbers["relative_residual"] = largest;
  return turns;
}

inline std::vector<double> CGLS::lengths(SolverState& state, const Tensor& p,
                                         const TensorList& image) const {
  const auto groups = static_cast<std::int64_t>(state.numbers.at("groups"));
  // Of A p, then of the residual.
  std::vector<double> norms = detail::joint_norms(image, groups);
  const std::vector<double> of_residual =
      detail::joint_norms(state.measured.at("residual"), groups);
  norms.insert(norms.end(), of_residual.begin(), of_residual.end());
  norms = detail::norms_over_ranks(do_communicator(), "cgls", physics_->measurement_weight(),
                                   std::move(norms));
  const std::vector<double> of_p = do_space().norm_each(p, groups);
  const double rounding = 32 * detail::rounding_of(p);
  std::vector<double> lengths(of_p.size(), 0.0);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    double& slope = detail::number_of(state, "slope", i);
    if (slope == 0) continue;
    double& norm_of_a = detail::number_of(state, "norm", i);
    norm_of_a = std::max(norm_of_a, norms[i] / of_p[i]);
    const double curvature = norms[i] * norms[i] + shift_ * of_p[i] * of_p[i];
    const double least = rounding * norm_of_a * norms[lengths.size() + i];
    if (slope <= least * least || curvature == 0) {
      slope = 0;
    } else {
      lengths[i] = slope / curvature;
    }
  }
  return lengths;
}

inline void CGLS::do_step(SolverState& state, StepTimes& times) const {
  state.x = timed(times.gradient, [&] {
    const Tensor p = state.images.at("direction");
    const TensorList image = physics_->forward(p);
    const Tensor length = detail::per_group(lengths(state, p, image), p);
    const Tensor x = state.x + length * p;
    TensorList& residual = state.measured.at("residual");
    for (std::size_t i = 0; i < image.size(); ++i) {
      residual[i] = residual[i] - detail::fitted(length, image[i]) * image[i];
    }
    const Tensor next = descent(residual, x);
    state.images["direction"] = next + detail::per_group(turn(state, next), next) * p;
    return x;
  });
}

inline bool CGLS::do_finished(const SolverState& state) const {
  const auto count = static_cast<std::size_t>(state.numbers.at("groups"));
  for (std::size_t i = 0; i < count; ++i) {
    if (state.numbers.at(formatted("slope {}", i)) != 0) return false;
  }
  return true;
}

}  // namespace tessera
