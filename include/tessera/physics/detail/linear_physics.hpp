// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/detail/image_products.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/detail/conjugate_gradient_loop.hpp"
#include "tessera/physics/detail/largest_eigenvalue.hpp"
#include "tessera/physics/detail/normal_equations.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace tessera {

namespace detail {

/// Float32 at least.
inline Tensor widened(const Tensor& x) {
  return x.to(c10::promoteTypes(x.scalar_type(), at::kFloat));
}

/// A power of two for each largest value that brings it near 1.
inline std::vector<double> scales_of(std::vector<double> largest) {
  for (double& each : largest) each = power_of_two_towards_one(each);
  return largest;
}

/// A power of two that brings the largest value of all measurements near 1; one on all ranks.
inline double scale_of(const LinearPhysics& physics, const TensorList& y, const std::string& who) {
  std::vector<double> largest = {0};
  for (const Tensor& one : y) {
    largest[0] = std::max(largest[0], largest_each(one, 1).front());
  }
  share(physics.communicator(), who, largest);
  return power_of_two_towards_one(largest[0]);
}

inline void check_conjugate_gradient(const ConjugateGradientOptions& options,
                                     const std::string& who) {
  check_not_negative(options.tolerance, who, "the tolerance of conjugate gradients");
  check_positive(options.reduction, who, "the reduction of conjugate gradients");
  if (options.max_iterations < 1) {
    throw error::InvalidArgument(
        formatted("{}: max_iterations of conjugate gradients is {}, expected 1 or more", who,
                  options.max_iterations));
  }
}

/// The solution, or error::NotConverged.
inline Tensor accepted(const ConjugateGradientResult& result,
                       const ConjugateGradientOptions& options, const std::string& who) {
  if (options.unconverged == Unconverged::accept || result.converged(options.tolerance)) {
    return result.x;
  }
  const auto worst = std::max_element(
      result.images.begin(), result.images.end(),
      [](const auto& a, const auto& b) { return a.relative_residual < b.relative_residual; });
  throw error::NotConverged(formatted(
      "{}: conjugate gradients ended by {} after {} iterations with a relative residual of {:.2g}, "
      "expected {:.2g} (image {} of {}). Allow more iterations or a larger tolerance, or take the "
      "best iterate: unconverged = Unconverged::accept",
      who, to_string(worst->end), worst->iterations, worst->relative_residual, options.tolerance,
      worst - result.images.begin() + 1, result.images.size()));
}

/// `filter`, if an operator's do_normal_filter may return it for x.
inline const NormalFilter& checked_filter(const NormalFilter& filter, const Tensor& x,
                                          const std::string& who) {
  if (!filter.defined()) return filter;
  const at::IntArrayRef extents = x.sizes().slice(2);
  bool ok = filter.transform.size() == extents.size();
  for (std::size_t d = 0; ok && d < extents.size(); ++d) {
    ok = filter.circulant ? filter.transform[d] == extents[d]
                          : filter.transform[d] >= 2 * extents[d] - 1;
  }
  if (!ok) {
    throw error::ShapeMismatch(formatted(
        "{}: the filter's transform is {}, expected {} {} for x {}", who,
        to_string(filter.transform), filter.circulant ? "the extents" : "twice the extents",
        to_string(extents), describe(x)));
  }
  return filter;
}

/// Largest Ritz value of the symmetric `apply` after `steps` Lanczos steps from `start`.
template <typename Apply, typename Stop>
double largest_ritz_value(const Apply& apply, const ImageSpace& space, const Tensor& start,
                          std::int64_t steps, const Stop& stop_together) {
  Tensor current = start / space.norm_each(start, 1).front();
  Tensor previous = at::zeros_like(current);
  std::vector<double> diagonal;
  std::vector<double> off_diagonal;
  double beta = 0;
  for (std::int64_t k = 0; k < steps; ++k) {
    Tensor next = apply(current).to(at::kDouble);
    const double alpha = space.dot_each(current, next, 1).front();
    diagonal.push_back(alpha);
    next.sub_(current, alpha).sub_(previous, beta);
    beta = space.norm_each(next, 1).front();
    // Where the Krylov space is exhausted.
    if (stop_together(!(beta > 1e-12 * std::abs(diagonal.front())))) break;
    off_diagonal.push_back(beta);
    previous = current;
    current = next / beta;
  }
  off_diagonal.resize(diagonal.size() - 1);
  return largest_eigenvalue(diagonal, off_diagonal);
}

/// Runs a check of what this rank was given. If it fails, the ranks that share the operators, which
/// wait in the collective that follows, fail with it.
template <typename Check>
void check_together(const LinearPhysics& physics, const std::string& function, const Check& check) {
  const std::string who = formatted("{}.{}", physics.name(), function);
  fail_together(physics.communicator(), who, [&] { check(who); });
}

}  // namespace detail

inline Tensor LinearPhysics::adjoint(const TensorList& v) const {
  detail::check_together(*this, "adjoint",
                         [&](const std::string&) { check_measurements(v, "adjoint"); });
  return do_adjoint(v);
}

inline Tensor LinearPhysics::normal(const Tensor& x) const {
  detail::check_together(*this, "normal",
                         [&](const std::string& who) { check_image(x, who + ": x"); });
  const NormalFilter filter = normal_filter(x);
  return filter.defined() ? filter.apply(x) : do_normal(x);
}

inline NormalFilter LinearPhysics::normal_filter(const Tensor& x) const {
  detail::check_together(*this, "normal_filter",
                         [&](const std::string& who) { check_image(x, who + ": x"); });
  // The filter depends on the channels and the spatial shape, not on the batch.
  return filters_.get(ImageSpec::of(x.select(0, 0)), [&] {
    return detail::checked_filter(do_normal_filter(x), x, formatted("{}.normal_filter", name()));
  });
}

inline bool LinearPhysics::has_fused_normal(const Tensor& x) const {
  if (has_normal_filter(x)) return true;
  return fused_.get(ImageSpec::of(x.select(0, 0)), [&] { return do_has_fused_normal(x); });
}

inline bool LinearPhysics::has_exact_inverse(const Tensor& x) const {
  const NormalFilter filter = normal_filter(x);
  return filter.defined() && filter.circulant;
}

inline double LinearPhysics::norm_squared(const Tensor& x) const {
  detail::check_together(*this, "norm_squared",
                         [&](const std::string& who) { check_image(x, who + ": x"); });
  const NormalFilter filter = normal_filter(x);
  if (filter.defined() && filter.circulant) return filter.norm_bound();
  if (const std::optional<double> known = do_norm_squared(x)) return *known;

  constexpr double slack = 0.02 / 1.02;  // theta / (1 - slack) = 1.02 theta
  constexpr double failure_probability = 1e-6;
  const auto n = static_cast<double>(space().numel(x));
  // P(theta < (1 - slack) lambda) <= 1.648 sqrt(n) exp(-sqrt(slack) (2 k - 1)).
  const double exponent = std::log(1.648 * std::sqrt(n) / failure_probability);
  const auto steps = static_cast<std::int64_t>(std::ceil(0.5 * (exponent / std::sqrt(slack) + 1)));
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{0x7e55e7a});
  const Tensor start =
      at::randn(x.sizes(), generator, at::TensorOptions().dtype(at::kDouble)).to(x.device());
  const at::ScalarType type = c10::promoteTypes(x.scalar_type(), at::kFloat);
  const auto apply = [&](const Tensor& v) {
    return filter.defined() ? filter.apply(v.to(type)) : do_normal(v.to(type));
  };
  const auto stop = [&](bool says) {
    return any_rank(communicator(), formatted("{}.norm_squared", name()), says);
  };
  return detail::largest_ritz_value(apply, space(), start, steps, stop) / (1 - slack);
}

inline Tensor LinearPhysics::solve_normal(const Tensor& b, double shift,
                                          const ConjugateGradientOptions& options,
                                          const Tensor& start) const {
  return detail::accepted(normal_solution(b, shift, options, start), options,
                          formatted("{}.solve_normal", name()));
}

inline ConjugateGradientResult LinearPhysics::normal_solution(
    const Tensor& b, double shift, const ConjugateGradientOptions& options,
    const Tensor& start) const {
  detail::check_together(*this, "solve_normal", [&](const std::string& who) {
    check_image(b, who + ": b");
    detail::check_conjugate_gradient(options, who);
    check_not_negative(shift, who, "shift");
    if (start.defined()) check_like(start, b, who + ": start");
    check_finite(b, who, "b");
  });
  const std::string who = formatted("{}.solve_normal", name());
  const NormalFilter filter = normal_filter(b);
  if (filter.defined() && filter.circulant && shift > 0) {
    return {filter.apply_shifted_inverse(b, shift),
            std::vector<ConjugateGradientReport>(static_cast<std::size_t>(b.size(0)))};
  }
  if (b.requires_grad() && at::GradMode::is_enabled()) {
    throw error::InvalidArgument(who + ": conjugate gradients cannot be differentiated, and b " +
                                 "requires gradients; detach it");
  }
  const Tensor right = detail::widened(b.detach());
  const Tensor scales =
      detail::per_group(detail::scales_of(space().largest_each(right, b.size(0))), right);
  const Tensor scaled = right * scales;
  detail::ShiftedNormal equations(*this, scaled, shift);
  const Tensor x0 = start.defined() ? detail::widened(start.detach()) * scales : Tensor();
  ConjugateGradientResult result = detail::conjugate_gradient(
      equations, {x0, scaled, b.size(0)}, options, space(), communicator(), who);
  result.x = (result.x / scales).to(b.scalar_type());
  return result;
}

inline Tensor LinearPhysics::pseudo_inverse(const TensorList& y,
                                            const ConjugateGradientOptions& options) const {
  return detail::accepted(least_squares(y, options), options,
                          formatted("{}.pseudo_inverse", name()));
}

inline ConjugateGradientResult LinearPhysics::least_squares(
    const TensorList& y, const ConjugateGradientOptions& options) const {
  detail::check_together(*this, "pseudo_inverse", [&](const std::string& who) {
    check_measurements(y, "pseudo_inverse");
    detail::check_conjugate_gradient(options, who);
    for (std::size_t i = 0; i < y.size(); ++i) {
      check_finite(y[i], who, formatted("the measurement of held operator {}", i));
    }
  });
  const std::string who = formatted("{}.pseudo_inverse", name());
  TensorList wide;
  const double data_scale = detail::scale_of(*this, y, who);
  for (const Tensor& one : y) wide.push_back(data_scale * detail::widened(one.detach()));
  Tensor right = adjoint(wide);
  ConjugateGradientResult result;
  if (const NormalFilter filter = normal_filter(right);
      filter.defined() && filter.circulant && filter.factor == 1) {
    result = normal_solution(right, 0, options);
    result.x = result.x / data_scale;
  } else {
    const std::int64_t images = right.size(0);
    const bool is_joint =
        any_rank(communicator(), who, std::any_of(y.begin(), y.end(), [&](auto& one) {
                   return one.dim() == 0 || one.size(0) != images;
                 }));
    const std::int64_t groups = is_joint ? 1 : images;
    const double scale = detail::power_of_two_towards_one(space().largest_each(right, 1).front());
    right = scale * right;
    const Tensor scales =
        detail::per_group(detail::scales_of(space().largest_each(right, groups)), right);
    for (Tensor& one : wide) one = one * detail::fitted(scales, one);
    right = right * scales;
    detail::LeastSquares equations(*this, scale, std::move(wide), groups, who);
    result = detail::conjugate_gradient(equations, {{}, right, groups}, options, space(),
                                        communicator(), who);
    result.x = result.x / scales * (scale / data_scale);
  }
  if (!y.empty() && y.front().is_floating_point()) {
    result.x = result.x.to(y.front().scalar_type());
  }
  return result;
}

inline Tensor LinearPhysics::do_normal(const Tensor& x) const {
  return adjoint(forward(x));
}

inline bool LinearPhysics::do_has_fused_normal(const Tensor& /*x*/) const {
  return false;
}

inline NormalFilter LinearPhysics::do_normal_filter(const Tensor& /*x*/) const {
  return {};
}

inline std::optional<double> LinearPhysics::do_norm_squared(const Tensor& /*x*/) const {
  return std::nullopt;
}

inline Tensor LinearPhysics::transfer_function(const Tensor& /*x*/) const {
  return {};
}

inline Tensor LinearPhysics::do_vjp(const Tensor& /*x*/, const TensorList& v) const {
  return do_adjoint(v);
}

}  // namespace tessera
