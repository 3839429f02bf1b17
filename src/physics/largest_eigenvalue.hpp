#pragma once

#include <vector>

namespace tessera::detail {

/// The largest eigenvalue of a symmetric tridiagonal matrix, to rounding at every scale, by
/// bisection on Sturm sequences (Golub and Van Loan, Matrix Computations, 4th edition, 8.4.1).
double largest_eigenvalue(const std::vector<double>& diagonal,
                          const std::vector<double>& off_diagonal);

}  // namespace tessera::detail
