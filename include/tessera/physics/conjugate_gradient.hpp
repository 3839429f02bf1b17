// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// What becomes of a solution by conjugate gradients that misses its tolerance.
enum class Unconverged {
  refuse,  ///< error::NotConverged, on every rank
  accept,  ///< the best iterate is the result, as where a solver goes on from it anyway
};

/// When conjugate gradients stop, for each image of a batch by itself.
struct ConjugateGradientOptions {
  /// The residual of the normal equations, relative to their right-hand side, both as l2 norms. The
  /// error of the solution may be larger by the square of the condition number of A (with a shift:
  /// by ||A||^2 / shift + 1).
  double tolerance = 1e-6;
  std::int64_t max_iterations = 1000;
  Unconverged unconverged = Unconverged::refuse;
  /// Goes on until the residual has also fallen to this part, > 0, of what it is where the
  /// iteration starts, as far as max_iterations and rounding let it; 1 asks for nothing.
  double reduction = 1;
};

/// Why conjugate gradients stopped.
enum class ConjugateGradientEnd {
  tolerance,   ///< the residual is within the tolerance
  rounding,    ///< rounding keeps the residual from falling further
  null_space,  ///< what is left of the residual is in the null space, where no image reduces it
  limit,       ///< max_iterations
};

/// "the tolerance", "rounding", ...
std::string to_string(ConjugateGradientEnd end);

/// How the solution for one image of a batch was reached.
struct ConjugateGradientReport {
  std::int64_t iterations = 0;   ///< 0 for a solution in closed form
  double relative_residual = 0;  ///< recomputed from the solution, not the recurrence's
  ConjugateGradientEnd end = ConjugateGradientEnd::tolerance;
};

struct ConjugateGradientResult {
  Tensor x;                                     ///< the iterate of the smallest residual
  std::vector<ConjugateGradientReport> images;  ///< one per image of the batch

  /// True if every image is within `tolerance`, or as close as its precision lets it come: stopped
  /// by rounding or the null space with a relative residual below sqrt(epsilon), 1.5e-8 in float64
  /// and 3.5e-4 in float32 and below.
  bool converged(double tolerance) const;
};

}  // namespace tessera

#include "tessera/physics/detail/conjugate_gradient.hpp"
