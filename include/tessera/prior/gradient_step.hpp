// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

#include <optional>
#include <string>
#include <utility>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/prior/prior.hpp"

namespace tessera {

/// How far an image is from what a denoiser N of level sigma makes of it, as a function:
///
///     g(x) = 0.5 ||x - N(x)||^2,   gradient r - J^T r,  r = x - N(x),  J the Jacobian of N at x
///
/// (Hurault, Leclaire, Papadakis, "Gradient step denoiser for convergent plug-and-play", ICLR
/// 2022). Unlike that of RED the gradient is that of the value for every differentiable N, so
/// solvers can measure descent: ProximalGradient with this as the smooth part, the proximal
/// operator of a fidelity, backtracking and no momentum is the method of that paper. Networks that
/// were trained with x - grad g(x) as denoiser are good priors; others are penalties like any
/// other.
///
/// A gradient is one pass through N by LibTorch's automatic differentiation, whose graph is kept
/// until its end: several times the memory of a denoising. Gradients of parameters are left alone.
/// No second derivatives.
class GradientStep : public Prior {
 public:
  GradientStep(DenoiserPtr denoiser, NoiseLevel sigma);

  std::string name() const override { return formatted("gradient_step({})", denoiser_->name()); }
  /// In float64. Collective if the denoiser is distributed: one denoising.
  inline std::optional<double> value(const Tensor& x) const override;
  /// The level is the denoiser's own.
  bool follows_step() const override { return false; }
  Communicator& communicator() const override { return denoiser_->communicator(); }
  const ImageSpace& space() const override { return denoiser_->space(); }
  const Denoiser& denoiser() const { return *denoiser_; }

 private:
  /// Throws error::InvalidArgument where the denoiser records no derivatives.
  inline Tensor do_gradient(const Tensor& x) const override;

  DenoiserPtr denoiser_;
  NoiseLevel sigma_;
};

inline GradientStep::GradientStep(DenoiserPtr denoiser, NoiseLevel sigma)
    : denoiser_(std::move(denoiser)), sigma_(std::move(sigma)) {
  if (!denoiser_) throw error::InvalidArgument("GradientStep: denoiser is null");
}

inline std::optional<double> GradientStep::value(const Tensor& x) const {
  const at::NoGradGuard no_graph;
  const Tensor residual = x - denoiser_->denoise(x, sigma_);
  return 0.5 * space().dot_each(residual, residual, 1).front();
}

inline Tensor GradientStep::do_gradient(const Tensor& x) const {
  const c10::InferenceMode normal(false);
  const at::AutoGradMode with_graph(true);
  const Tensor start = (x.is_inference() ? x.clone() : x.detach()).requires_grad_();
  const Tensor denoised = denoiser_->denoise(start, sigma_);
  if (!denoised.requires_grad()) {
    throw error::InvalidArgument(formatted(
        "{}.gradient: the denoiser records no derivatives, expected one of differentiable "
        "operations",
        name()));
  }
  const Tensor residual = start - denoised;
  residual.backward(residual.detach(), /*keep_graph=*/false, /*create_graph=*/false,
                    at::TensorList(start));
  return start.grad();
}

}  // namespace tessera
