// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

namespace tessera::fourier {

/// The Kaiser-Bessel kernel I0(beta sqrt(1 - z^2)) / I0(beta), |z| <= 1, over `width` cells of a
/// grid oversampled twice or more: what carries values between points and the grid. Relative errors
/// of the transform are near 10^(1 - width). beta: Beatty, Nishimura and Pauly, IEEE Trans. Med.
/// Imaging 24, 2005, equation 5.
///
/// Between points its values are polynomials, one for each cell: of u = 2 t - 1, where t in [0, 1)
/// is the distance from the left end of the kernel to the first cell's centre.
class GriddingKernel {
 public:
  static constexpr int least_width = 3;
  static constexpr int most_width = 16;
  /// Of the polynomials.
  static constexpr int degree(int width) { return width + 3; }

  /// The width for a relative error of `tolerance`.
  static int width_for(double tolerance);

  explicit GriddingKernel(int width);

  int width() const { return width_; }
  /// Its value at z, |z| <= 1.
  double at(double z) const;
  /// The polynomial of each cell: (degree + 1, width), highest power first.
  const std::vector<double>& coefficients() const { return coefficients_; }
  /// Its Fourier transform at `frequency`, in turns per cell.
  double transform(double frequency) const;

 private:
  int width_;
  double beta_;
  std::vector<double> coefficients_;
};

}  // namespace tessera::fourier
