#include "tessera/physics/linear_physics.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/add.h>
#include <ATen/ops/dot.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <Eigen/Eigenvalues>
#include <cmath>

#include "convolution.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

double inner(const Tensor& a, const Tensor& b) {
  return at::dot(a.reshape(-1), b.reshape(-1)).item<double>();
}

/// F^-1[spectrum * F[x]] for a real spectrum of x's own extents.
Tensor filter(const Tensor& x, const Tensor& spectrum) {
  return convolve_fourier(x, spectrum, x.sizes().slice(2).vec(), false);
}

/// Conjugate gradients for the symmetric positive (semi-)definite `apply`, from zero.
template <typename Apply, typename Stop>
Tensor conjugate_gradient(const Apply& apply, const Tensor& b,
                          const ConjugateGradientOptions& options, const Stop& stop_together) {
  Tensor x = at::zeros_like(b);
  Tensor residual = b.clone();
  Tensor direction = b.clone();
  double residual_norm = inner(residual, residual);
  const double target = options.tolerance * options.tolerance * residual_norm;
  for (std::int64_t k = 0; k < options.max_iterations; ++k) {
    if (stop_together(!(residual_norm > target))) break;
    const Tensor image = apply(direction);
    const double curvature = inner(direction, image);
    if (!(curvature > 0)) {  // the direction lies in the null space: nothing left to gain
      residual_norm = 0;
      continue;
    }
    const double length = residual_norm / curvature;
    x.add_(direction, length);
    residual.sub_(image, length);
    const double next_norm = inner(residual, residual);
    direction.mul_(next_norm / residual_norm).add_(residual);
    residual_norm = next_norm;
  }
  return x;
}

void check_options(const ConjugateGradientOptions& options, const std::string& who) {
  if (!(options.tolerance >= 0) || options.max_iterations < 1) {
    throw error::InvalidArgument(fmt::format(
        "{}: conjugate gradients need tolerance >= 0 and max_iterations >= 1, got {} and {}", who,
        options.tolerance, options.max_iterations));
  }
}

/// Largest Ritz value of the symmetric `apply` after `steps` Lanczos steps from `start`.
template <typename Apply, typename Stop>
double largest_ritz_value(const Apply& apply, const Tensor& start, std::int64_t steps,
                          const Stop& stop_together) {
  Tensor current = start / std::sqrt(inner(start, start));
  Tensor previous = at::zeros_like(current);
  std::vector<double> diagonal;
  std::vector<double> off_diagonal;
  double beta = 0;
  for (std::int64_t k = 0; k < steps; ++k) {
    Tensor next = apply(current).to(at::kDouble);
    const double alpha = inner(current, next);
    diagonal.push_back(alpha);
    next.sub_(current, alpha).sub_(previous, beta);
    beta = std::sqrt(inner(next, next));
    // Where the Krylov space is exhausted.
    if (stop_together(beta <= 1e-12 * std::abs(diagonal.front()))) break;
    off_diagonal.push_back(beta);
    previous = current;
    current = next / beta;
  }
  off_diagonal.resize(diagonal.size() - 1);
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
  solver.computeFromTridiagonal(
      Eigen::Map<const Eigen::VectorXd>(diagonal.data(),
                                        static_cast<Eigen::Index>(diagonal.size())),
      Eigen::Map<const Eigen::VectorXd>(off_diagonal.data(),
                                        static_cast<Eigen::Index>(off_diagonal.size())),
      Eigen::EigenvaluesOnly);
  return solver.eigenvalues().maxCoeff();
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

}  // namespace

Tensor LinearPhysics::adjoint(const TensorList& v) const {
  check_together(*this, "adjoint", [&](const std::string&) { check_measurements(v, "adjoint"); });
  return do_adjoint(v);
}

Tensor LinearPhysics::normal(const Tensor& x) const {
  check_together(*this, "normal", [&](const std::string& who) { check_image(x, who + ": x"); });
  const Tensor spectrum = normal_spectrum(x);
  if (!spectrum.defined()) return do_normal(x);
  return filter(x, spectrum);
}

bool LinearPhysics::has_normal_spectrum(const Tensor& x) const {
  return normal_spectrum(x).defined();
}

Tensor LinearPhysics::normal_spectrum(const Tensor& x) const {
  check_together(*this, "normal_spectrum",
                 [&](const std::string& who) { check_image(x, who + ": x"); });
  // The spectrum depends on the channels and the spatial shape, not on the batch.
  return spectra_.get(describe(x.select(0, 0)), [&] { return do_normal_spectrum(x); });
}

double LinearPhysics::norm_squared(const Tensor& x) const {
  check_together(*this, "norm_squared",
                 [&](const std::string& who) { check_image(x, who + ": x"); });
  const Tensor spectrum = normal_spectrum(x);
  if (spectrum.defined()) return spectrum.max().item<double>();

  constexpr double slack = 0.02 / 1.02;  // theta / (1 - slack) = 1.02 theta
  constexpr double failure_probability = 1e-6;
  const auto n = static_cast<double>(x.numel());
  // P(theta < (1 - slack) lambda) <= 1.648 sqrt(n) exp(-sqrt(slack) (2 k - 1)).
  const double exponent = std::log(1.648 * std::sqrt(n) / failure_probability);
  const auto steps = static_cast<std::int64_t>(std::ceil(0.5 * (exponent / std::sqrt(slack) + 1)));
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{0x7e55e7a});
  const Tensor start =
      at::randn(x.sizes(), generator, at::TensorOptions().dtype(at::kDouble)).to(x.device());
  const auto apply = [&](const Tensor& v) { return do_normal(v.to(x.scalar_type())); };
  const auto stop = [&](bool says) {
    return any_rank(communicator(), name() + ".norm_squared", says);
  };
  return largest_ritz_value(apply, start, steps, stop) / (1 - slack);
}

Tensor LinearPhysics::solve_normal(const Tensor& b, double shift,
                                   const ConjugateGradientOptions& options) const {
  check_together(*this, "solve_normal", [&](const std::string& who) {
    check_image(b, who + ": b");
    check_options(options, who);
    if (!(shift >= 0))
      throw error::InvalidArgument(fmt::format("{}: shift is {}, expected >= 0", who, shift));
  });
  const Tensor spectrum = normal_spectrum(b);
  if (spectrum.defined() && shift > 0) return filter(b, (spectrum + shift).reciprocal_());
  const auto apply = [&](const Tensor& v) { return at::add(normal(v), v, shift); };
  const auto stop = [&](bool says) {
    return any_rank(communicator(), name() + ".solve_normal", says);
  };
  return conjugate_gradient(apply, b, options, stop);
}

Tensor LinearPhysics::pseudo_inverse(const TensorList& y,
                                     const ConjugateGradientOptions& options) const {
  return solve_normal(adjoint(y), 0.0, options);
}

Tensor LinearPhysics::do_normal(const Tensor& x) const {
  return adjoint(forward(x));
}

Tensor LinearPhysics::do_normal_spectrum(const Tensor& /*x*/) const {
  return {};
}

Tensor LinearPhysics::transfer_function(const Tensor& /*x*/) const {
  return {};
}

Tensor LinearPhysics::do_vjp(const Tensor& /*x*/, const TensorList& v) const {
  return do_adjoint(v);
}

}  // namespace tessera
