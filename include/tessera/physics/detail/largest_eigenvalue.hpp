// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace tessera::detail {

/// The largest eigenvalue of a symmetric tridiagonal matrix, to rounding at every scale, by
/// bisection on Sturm sequences (Golub and Van Loan, Matrix Computations, 4th edition, 8.4.1).
double largest_eigenvalue(const std::vector<double>& diagonal,
                          const std::vector<double>& off_diagonal);

/// Whether an eigenvalue lies above `bound`: a pivot of the factorised matrix less bound I is
/// positive.
inline bool has_eigenvalue_above(double bound, const std::vector<double>& diagonal,
                                 const std::vector<double>& off_diagonal) {
  double pivot = diagonal.front() - bound;
  for (std::size_t i = 1; pivot <= 0 && i < diagonal.size(); ++i) {
    const double below = std::min(pivot, -std::numeric_limits<double>::min());
    pivot = diagonal[i] - bound - off_diagonal[i - 1] * off_diagonal[i - 1] / below;
  }
  return pivot > 0;
}

inline double largest_eigenvalue(const std::vector<double>& diagonal,
                                 const std::vector<double>& off_diagonal) {
  // Gershgorin: the eigenvalues lie within `radius` of zero, 1 after scaling.
  double radius = 0;
  for (std::size_t i = 0; i < diagonal.size(); ++i) {
    const double before = i > 0 ? std::abs(off_diagonal[i - 1]) : 0;
    const double after = i < off_diagonal.size() ? std::abs(off_diagonal[i]) : 0;
    radius = std::max(radius, std::abs(diagonal[i]) + before + after);
  }
  if (!(radius > 0) || !std::isfinite(radius)) return radius;
  std::vector<double> scaled_diagonal = diagonal;
  std::vector<double> scaled_off_diagonal = off_diagonal;
  for (double& value : scaled_diagonal) value /= radius;
  for (double& value : scaled_off_diagonal) value /= radius;
  double low = -1;
  double high = 1;
  while (high - low > std::numeric_limits<double>::epsilon()) {
    const double middle = low + (high - low) / 2;
    (has_eigenvalue_above(middle, scaled_diagonal, scaled_off_diagonal) ? low : high) = middle;
  }
  return radius * high;
}

}  // namespace tessera::detail
