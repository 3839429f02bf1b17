#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/detail/conjugate_gradient_loop.hpp"
#include "tessera/physics/detail/convolution.hpp"
#include "tessera/physics/detail/image_products.hpp"
#include "tessera/physics/detail/largest_eigenvalue.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace tessera {

namespace detail {

/// F^-1[spectrum * F[x]] for a real spectrum of x's own extents.
inline Tensor filter(const Tensor& x, const Tensor& spectrum) {
  return convolve_fourier(x, spectrum, x.sizes().slice(2).vec(), false);
}

/// Float32 at least.
inline Tensor widened(const Tensor& x) {
  return x.to(c10::promoteTypes(x.scalar_type(), at::kFloat));
}

/// A power of two for each largest value that brings it near 1.
inline std::vector<double> scales_of(std::vector<double> largest) {
  for (double& each : largest) each = detail::power_of_two_towards_one(each);
  return largest;
}

/// A power of two that brings the largest value of all measurements near 1; one on all ranks.
inline double scale_of(const LinearPhysics& physics, const TensorList& y, const std::string& who) {
  std::vector<double> largest = {0};
  for (const Tensor& one : y) {
    largest[0] = std::max(largest[0], detail::largest_each(one, 1).front());
  }
  detail::share(physics.communicator(), who, largest);
  return detail::power_of_two_towards_one(largest[0]);
}

/// (A^T A + shift I) x = b, from the normal operator.
class ShiftedNormal final : public detail::NormalEquations {
 public:
  ShiftedNormal(const LinearPhysics& physics, Tensor b, double shift)
      : physics_(physics), b_(std::move(b)), shift_(shift), residual_(b_) {}

  Tensor exact_residual(const Tensor& x) override {
    exact_ = b_ - apply(x);
    return exact_;
  }
  double flatness(double epsilon) const override { return epsilon; }
  void adopt(const Tensor& groups) override { residual_ = at::where(groups, exact_, residual_); }
  Tensor residual() override { return residual_; }
  std::vector<double> curvature(const Tensor& p) override {
    image_ = apply(p);
    return detail::inner_each(p, image_, b_.size(0));
  }
  void advance(const Tensor& lengths) override { residual_ = residual_ - lengths * image_; }

 private:
  Tensor apply(const Tensor& x) const { return physics_.normal(x).add(x, shift_); }

  const LinearPhysics& physics_;
  Tensor b_;
  double shift_;
  Tensor residual_;
  Tensor exact_;
  Tensor image_;
};

/// A value for each group, shaped to multiply a measurement.
inline Tensor fitted(const Tensor& values, const Tensor& measurement) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(measurement.dim()), 1);
  if (!shape.empty()) shape.front() = values.numel();
  return values.view(shape);
}

/// A^T A x = A^T y, from A and its adjoint, with the residual y - A x kept. `scale` multiplies A.
class LeastSquares final : public detail::NormalEquations {
 public:
  LeastSquares(const LinearPhysics& physics, double scale, TensorList y, std::int64_t groups,
               const std::string& who)
      : physics_(physics),
        scale_(scale),
        y_(std::move(y)),
        groups_(groups),
        who_(who),
        residual_(y_) {}

  Tensor exact_residual(const Tensor& x) override {
    exact_ = physics_.forward(scale_ * x);
    for (std::size_t i = 0; i < y_.size(); ++i) exact_[i] = y_[i] - exact_[i];
    return scale_ * physics_.adjoint(exact_);
  }
  /// ||A p|| is right to a few epsilon of ||A|| ||p||.
  double flatness(double epsilon) const override { return 256 * epsilon * epsilon; }
  void adopt(const Tensor& groups) override {
    for (std::size_t i = 0; i < y_.size(); ++i) {
      residual_[i] = at::where(fitted(groups, y_[i]), exact_[i], residual_[i]);
    }
  }
  Tensor residual() override { return scale_ * physics_.adjoint(residual_); }
  std::vector<double> curvature(const Tensor& p) override {
    images_ = physics_.forward(scale_ * p);
    std::vector<double> norms(static_cast<std::size_t>(groups_), 0.0);
    for (const Tensor& image : images_) {
      const std::vector<double> more = detail::norm_each(image, groups_);
      for (std::size_t i = 0; i < norms.size(); ++i) norms[i] = std::hypot(norms[i], more[i]);
    }
    norms = detail::norms_over_ranks(physics_.communicator(), who_, physics_.measurement_weight(),
                                     std::move(norms));
    for (double& norm : norms) norm *= norm;
    return norms;
  }
  void advance(const Tensor& lengths) override {
    for (std::size_t i = 0; i < images_.size(); ++i) {
      residual_[i] = residual_[i] - fitted(lengths, images_[i]) * images_[i];
    }
  }

 private:
  const LinearPhysics& physics_;
  double scale_;
  TensorList y_;
  std::int64_t groups_;
  const std::string& who_;
  TensorList residual_;
  TensorList exact_;
  TensorList images_;
};

inline void check_conjugate_gradient(const ConjugateGradientOptions& options,
                                     const std::string& who) {
  check_not_negative(options.tolerance, who, "the tolerance of conjugate gradients");
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

/// Largest Ritz value of the symmetric `apply` after `steps` Lanczos steps from `start`.
template <typename Apply, typename Stop>
double largest_ritz_value(const Apply& apply, const Tensor& start, std::int64_t steps,
                          const Stop& stop_together) {
  Tensor current = start / std::sqrt(real_dot(start, start));
  Tensor previous = at::zeros_like(current);
  std::vector<double> diagonal;
  std::vector<double> off_diagonal;
  double beta = 0;
  for (std::int64_t k = 0; k < steps; ++k) {
    Tensor next = apply(current).to(at::kDouble);
    const double alpha = real_dot(current, next);
    diagonal.push_back(alpha);
    next.sub_(current, alpha).sub_(previous, beta);
    beta = detail::norm_each(next, 1).front();
    // Where the Krylov space is exhausted.
    if (stop_together(!(beta > 1e-12 * std::abs(diagonal.front())))) break;
    off_diagonal.push_back(beta);
    previous = current;
    current = next / beta;
  }
  off_diagonal.resize(diagonal.size() - 1);
  return detail::largest_eigenvalue(diagonal, off_diagonal);
}

/// Runs a check of what this rank was given. If it fails, the ranks that share the operators, which
/// wait in the collective that follows, fail with it.
template <typename Check>
void check_together(const LinearPhysics& physics, const std::string& function, const Check& check) {
  const std::string who = physics.name() + "." + function;
  try {
    check(who);
  } catch (const error::InvalidArgument&) {
    agree(physics.communicator(), who, std::current_exception());
  }
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
  const Tensor spectrum = normal_spectrum(x);
  if (!spectrum.defined()) return do_normal(x);
  return detail::filter(x, spectrum);
}

inline bool LinearPhysics::has_normal_spectrum(const Tensor& x) const {
  return normal_spectrum(x).defined();
}

inline Tensor LinearPhysics::normal_spectrum(const Tensor& x) const {
  detail::check_together(*this, "normal_spectrum",
                         [&](const std::string& who) { check_image(x, who + ": x"); });
  // The spectrum depends on the channels and the spatial shape, not on the batch.
  return spectra_.get(describe(x.select(0, 0)), [&] { return do_normal_spectrum(x); });
}

inline double LinearPhysics::norm_squared(const Tensor& x) const {
  detail::check_together(*this, "norm_squared",
                         [&](const std::string& who) { check_image(x, who + ": x"); });
  const Tensor spectrum = normal_spectrum(x);
  if (spectrum.defined()) return spectrum.max().item<double>();
  if (const std::optional<double> known = do_norm_squared(x)) return *known;

  constexpr double slack = 0.02 / 1.02;  // theta / (1 - slack) = 1.02 theta
  constexpr double failure_probability = 1e-6;
  const auto n = static_cast<double>(x.numel());
  // P(theta < (1 - slack) lambda) <= 1.648 sqrt(n) exp(-sqrt(slack) (2 k - 1)).
  const double exponent = std::log(1.648 * std::sqrt(n) / failure_probability);
  const auto steps = static_cast<std::int64_t>(std::ceil(0.5 * (exponent / std::sqrt(slack) + 1)));
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{0x7e55e7a});
  const Tensor start =
      at::randn(x.sizes(), generator, at::TensorOptions().dtype(at::kDouble)).to(x.device());
  const at::ScalarType type = c10::promoteTypes(x.scalar_type(), at::kFloat);
  const auto apply = [&](const Tensor& v) { return do_normal(v.to(type)); };
  const auto stop = [&](bool says) {
    return any_rank(communicator(), name() + ".norm_squared", says);
  };
  return detail::largest_ritz_value(apply, start, steps, stop) / (1 - slack);
}

inline Tensor LinearPhysics::solve_normal(const Tensor& b, double shift,
                                          const ConjugateGradientOptions& options,
                                          const Tensor& start) const {
  return detail::accepted(normal_solution(b, shift, options, start), options,
                          name() + ".solve_normal");
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
  const std::string who = name() + ".solve_normal";
  const Tensor spectrum = normal_spectrum(b);
  if (spectrum.defined() && shift > 0) {
    return {detail::filter(b, (spectrum + shift).reciprocal_()),
            std::vector<ConjugateGradientReport>(static_cast<std::size_t>(b.size(0)))};
  }
  if (b.requires_grad() && at::GradMode::is_enabled()) {
    throw error::InvalidArgument(who + ": conjugate gradients cannot be differentiated, and b " +
                                 "requires gradients; detach it");
  }
  const Tensor right = detail::widened(b.detach());
  const Tensor scales =
      detail::per_group(detail::scales_of(detail::largest_each(right, b.size(0))), right);
  const Tensor scaled = right * scales;
  detail::ShiftedNormal equations(*this, scaled, shift);
  const Tensor x0 = start.defined() ? detail::widened(start.detach()) * scales : Tensor();
  ConjugateGradientResult result =
      detail::conjugate_gradient(equations, {x0, scaled, b.size(0)}, options, communicator(), who);
  result.x = (result.x / scales).to(b.scalar_type());
  return result;
}

inline Tensor LinearPhysics::pseudo_inverse(const TensorList& y,
                                            const ConjugateGradientOptions& options) const {
  return detail::accepted(least_squares(y, options), options, name() + ".pseudo_inverse");
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
  const std::string who = name() + ".pseudo_inverse";
  TensorList wide;
  const double data_scale = detail::scale_of(*this, y, who);
  for (const Tensor& one : y) wide.push_back(data_scale * detail::widened(one.detach()));
  Tensor right = adjoint(wide);
  ConjugateGradientResult result;
  if (normal_spectrum(right).defined()) {
    result = normal_solution(right, 0, options);
    result.x = result.x / data_scale;
  } else {
    const std::int64_t images = right.size(0);
    const bool is_joint =
        any_rank(communicator(), who, std::any_of(y.begin(), y.end(), [&](auto& one) {
                   return one.dim() == 0 || one.size(0) != images;
                 }));
    const std::int64_t groups = is_joint ? 1 : images;
    const double scale = detail::power_of_two_towards_one(detail::largest_each(right, 1).front());
    right = scale * right;
    const Tensor scales =
        detail::per_group(detail::scales_of(detail::largest_each(right, groups)), right);
    for (Tensor& one : wide) one = one * detail::fitted(scales, one);
    right = right * scales;
    detail::LeastSquares equations(*this, scale, std::move(wide), groups, who);
    result =
        detail::conjugate_gradient(equations, {{}, right, groups}, options, communicator(), who);
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

inline Tensor LinearPhysics::do_normal_spectrum(const Tensor& /*x*/) const {
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
