#pragma once

#include <functional>
#include <string>

#include "options.hpp"

/// Settings of the method that the command line leaves open.

/// The words of --preset.
enum class Preset { standard, published };

/// Completes solver, prior, fidelity, levels, step, starting point and number of iterations.
/// `is_given` tells whether the command line has an option.
///
/// Without --solver it is dpir, with the likelihood of clipped measurements: the best. What only
/// proximal gradient knows (a step, levels of its own, red, no noise at all, the published preset)
/// asks for --solver pnp, with least squares, as the published benchmark has it.
///
/// Throws CLI::ValidationError for options that the solver does not have.
void settle_method(Options& options, Preset preset,
                   const std::function<bool(const std::string&)>& is_given);

/// Whether the option means something to the method that was settled.
bool is_of_method(const Options& options, const std::string& option);
