// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <string>

#include "options.hpp"

/// Completes solver, prior, fidelity, levels, step, starting point and number of iterations, which
/// the command line may leave open. `is_given` tells whether it has an option.
///
/// Without --solver it is dpir, with the likelihood of clipped measurements: the best. What only
/// proximal gradient knows (a step, levels of its own, red, no noise at all, the published preset)
/// asks for --solver pnp, with least squares, as the published benchmark has it.
///
/// Total variation, and noise or fidelities that only it takes, ask for --solver primal_dual;
/// --prior ridge and wavelet for proximal_gradient.
///
/// Throws CLI::ValidationError for options that the solver does not have.
void settle_method(Options& options, const std::function<bool(const std::string&)>& is_given);
