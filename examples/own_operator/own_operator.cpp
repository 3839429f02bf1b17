// SPDX-License-Identifier: BSD-3-Clause
// A forward model of one's own, as a class and as a matrix; everything else works with it.
#include <ATen/ops/arange.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/sin.h>

#include <cstdio>

#include "tessera/tessera.hpp"

using tessera::Tensor;

namespace {

/// Means of 2x2 pixels: what a detector with pixels of twice the size sees.
class Binning : public tessera::LinearOperator {
 public:
  std::string name() const override { return "binning"; }

 private:
  Tensor do_apply(const Tensor& x) const override { return at::avg_pool2d(x, {2, 2}); }
  Tensor do_apply_adjoint(const Tensor& v) const override {
    return 0.25 * v.repeat_interleave(2, -2).repeat_interleave(2, -1);
  }
};

/// The same operator as a matrix, for images of side x side pixels.
Eigen::SparseMatrix<double> binning_matrix(int side) {
  Eigen::SparseMatrix<double> matrix(side * side / 4, side * side);
  for (int pixel = 0; pixel < side * side; ++pixel) {
    matrix.insert(pixel / side / 2 * (side / 2) + pixel % side / 2, pixel) = 0.25;
  }
  return matrix;
}

}  // namespace

int main() {
  const Tensor ramp = at::arange(64, at::kDouble);
  const Tensor truth = 0.5 + 0.5 * at::sin(0.004 * ramp.view({1, 1, -1, 1}) * ramp);
  const auto binning = std::make_shared<Binning>();
  const double error = tessera::adjoint_error(*binning, truth);

  const tessera::MatrixPhysics matrix(binning_matrix(64), {1, 64, 64});
  const Tensor bins = binning->apply(truth);
  const double difference = (matrix.apply(truth) - bins.flatten(1)).abs().max().item<double>();
  std::printf("dot test %.1e, class and matrix differ by %.1e\n", error, difference);

  const tessera::L2 fidelity(binning, {bins}, truth);
  const auto prior =
      tessera::PlugAndPlay::fixed(std::make_shared<tessera::TotalVariation>(), 0.005);
  const tessera::PnP solver(fidelity, prior, {.step = 4, .stopping = {.max_iterations = 50}});
  const Tensor x = solver.solve(4 * binning->apply_adjoint(bins)).x;
  std::printf("restored to %.2f dB\n", tessera::psnr(x, truth).item<double>());
  return error < 1e-12 && difference < 1e-12 ? 0 : 1;
}
