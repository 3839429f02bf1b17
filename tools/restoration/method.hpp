// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "settings/enum_names.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/physics/conjugate_gradient.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/prior/prior.hpp"
#include "tessera/solver/clamp_range.hpp"
#include "tessera/solver/solver.hpp"

namespace restoration {

/// dpir: half-quadratic splitting with falling levels; pnp: proximal gradient without momentum, or
/// gradient descent with the prior red; the others minimise an objective, proximal_gradient with
/// the prior pnp excepted: there it is pnp with the step 1 / L.
enum class SolverKind { dpir, pnp, proximal_gradient, admm, primal_dual, mlem };
enum class FidelityKind { clipped, l2, poisson, absolute };
enum class PriorKind { pnp, red, tv, ridge, wavelet };

/// How an image is restored whose intensities are 0 to 1, or on that scale: solver, fidelity and
/// prior, by name.
struct Method {
  SolverKind solver = SolverKind::dpir;
  FidelityKind fidelity = FidelityKind::clipped;
  PriorKind prior = PriorKind::pnp;
  double noise_level = 0.1;  ///< of poisson: in white, whose square is the gain
  double background = 0;     ///< of poisson: expected in every measured value beside the image's
  std::int64_t iterations = 8;
  double dpir_weight = 0.1;
  double red_weight = 4;
  /// PrimalDualOptions::ratio of primal_dual; nullopt: 1 / noise_level^2.
  std::optional<double> step_ratio = {};
  double tv_weight = 5;  ///< of the total variation against the negative log-likelihood
  /// Of wavelet against the negative log-likelihood; of ridge times denoiser_sigma^2.
  double prior_weight = 1;
  double denoiser_sigma = 0.01;                ///< of the priors pnp, red and ridge
  std::optional<double> denoiser_sigma_start;  ///< of the prior pnp; nullopt: constant levels
  /// What the image is clamped to; of objectives a constraint.
  tessera::ClampRange range = std::pair(0.0, 1.0);
  tessera::ConjugateGradientOptions inner_solves = {};  ///< of dpir where they have no closed form
};

/// Whether the solver can take the prior, the fidelity. mlem takes no prior.
bool fit_together(SolverKind solver, PriorKind prior);
bool fit_together(SolverKind solver, FidelityKind fidelity);
/// Whether the solver can give the prior levels that fall from one iteration to the next, from a
/// start that is chosen.
bool levels_may_fall(SolverKind solver, PriorKind prior);

/// How an image's distance from the measurements is measured. Collective if the physics is
/// distributed.
tessera::DataFidelityPtr make_fidelity(const Method& method, tessera::LinearPhysicsPtr physics,
                                       tessera::TensorList measurements,
                                       const tessera::Tensor& image);

/// The levels of the prior wavelet for images (B, C, spatial...): as many, up to three, as all
/// sides can be halved.
int wavelet_levels(at::IntArrayRef image);

/// The prior, from the denoiser where it is made of one; that of ridge is a RidgeDenoiser, else
/// error::InvalidArgument. `image` is the shape of the whole images to come, for wavelet_levels.
tessera::PriorPtr make_prior(const Method& method, tessera::DenoiserPtr denoiser,
                             at::IntArrayRef image = {});

/// `fidelity` and `prior` must outlive the solver. `step` is that of the solver pnp; `norm_squared`
/// of the physics, from which others take theirs. `differences`: what total variation is made of
/// for primal_dual; null: FiniteDifferences, of whole images.
std::unique_ptr<tessera::Solver> make_solver(const Method& method,
                                             const tessera::DataFidelity& fidelity,
                                             const tessera::Prior& prior, double step,
                                             double norm_squared,
                                             tessera::LinearPhysicsPtr differences = nullptr);

}  // namespace restoration

template <>
inline constexpr std::array settings::enum_names<restoration::SolverKind> = {
    settings::EnumName{restoration::SolverKind::dpir, "dpir"},
    settings::EnumName{restoration::SolverKind::pnp, "pnp"},
    settings::EnumName{restoration::SolverKind::proximal_gradient, "proximal_gradient"},
    settings::EnumName{restoration::SolverKind::admm, "admm"},
    settings::EnumName{restoration::SolverKind::primal_dual, "primal_dual"},
    settings::EnumName{restoration::SolverKind::mlem, "mlem"}};
template <>
inline constexpr std::array settings::enum_names<restoration::FidelityKind> = {
    settings::EnumName{restoration::FidelityKind::clipped, "clipped"},
    settings::EnumName{restoration::FidelityKind::l2, "l2"},
    settings::EnumName{restoration::FidelityKind::poisson, "poisson"},
    settings::EnumName{restoration::FidelityKind::absolute, "absolute"}};
template <>
inline constexpr std::array settings::enum_names<restoration::PriorKind> = {
    settings::EnumName{restoration::PriorKind::pnp, "pnp"},
    settings::EnumName{restoration::PriorKind::red, "red"},
    settings::EnumName{restoration::PriorKind::tv, "tv"},
    settings::EnumName{restoration::PriorKind::ridge, "ridge"},
    settings::EnumName{restoration::PriorKind::wavelet, "wavelet"}};
