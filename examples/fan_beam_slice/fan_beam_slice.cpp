// SPDX-License-Identifier: BSD-3-Clause
// A slice of a head phantom from 60 noisy views of a fan of rays: filtered back-projection, then
// total variation and nonnegativity by a primal-dual iteration.
//   fan_beam_slice filtered.png restored.png
#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstdio>

#include "tessera/io/image.hpp"
#include "tessera/tessera.hpp"
#include "tessera/tomography/tomography.hpp"

using tessera::Tensor;

namespace {

/// Sums of ellipses on the square from -1 to 1 (Shepp and Logan, IEEE Trans. Nucl. Sci. 21, 1974,
/// with the contrasts of Toft's thesis, 1996).
Tensor head(std::int64_t size) {
  // value, half axes along x and y, centre, turn in degrees
  const double ellipses[][6] = {
      {1, 0.69, 0.92, 0, 0, 0},         {-0.8, 0.6624, 0.874, 0, 0.0184, 0},
      {-0.2, 0.11, 0.31, 0.22, 0, 18},  {-0.2, 0.16, 0.41, -0.22, 0, -18},
      {0.1, 0.21, 0.25, 0, -0.35, 0},   {0.1, 0.046, 0.046, 0, -0.1, 0},
      {0.1, 0.046, 0.046, 0, 0.1, 0},   {0.1, 0.046, 0.023, -0.08, 0.605, 0},
      {0.1, 0.023, 0.023, 0, 0.605, 0}, {0.1, 0.023, 0.046, 0.06, 0.605, 0}};
  const Tensor axis = (at::arange(size) * 2 + 1) / static_cast<double>(size) - 1;
  Tensor image = at::zeros({1, 1, size, size});
  for (const auto& [value, a, b, x0, y0, degrees] : ellipses) {
    const double turn = degrees * std::acos(-1.0) / 180;
    const Tensor x = axis - x0;
    const Tensor y = axis.view({-1, 1}) - y0;
    const Tensor along = (std::cos(turn) * x + std::sin(turn) * y) / a;
    const Tensor across = (std::cos(turn) * y - std::sin(turn) * x) / b;
    image += value * (along.square() + across.square() <= 1);
  }
  return image;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) return std::fputs("usage: fan_beam_slice FILTERED RESTORED\n", stderr), 2;
  constexpr std::int64_t size = 256;  // voxels of side 1, so that line integrals reach some 60
  constexpr double noise = 0.5;
  const Tensor truth = head(size);

  const auto geometry = tessera::ScanGeometry::fan(/*views=*/60, /*cells=*/400, /*cell=*/1.4,
                                                   /*source=*/500, /*detector=*/250);
  const auto scan =
      std::make_shared<tessera::Tomography>(tessera::Extents{size, size}, 1, geometry);
  scan->set_noise(std::make_shared<tessera::GaussianNoise>(noise, /*seed=*/42));
  const tessera::TensorList y = scan->measure(truth);
  const Tensor filtered = scan->filtered(y.front(), {.window = tessera::RampWindow::hann});

  // min 1 / (2 noise^2) ||A x - y||^2 + weight TV(x) over x >= 0
  const tessera::L2 fidelity(scan, y, truth, {.sigma = noise});
  const tessera::MappedPrior variation{std::make_shared<tessera::FiniteDifferences>(),
                                       std::make_shared<tessera::GroupL1Prior>(), 5};
  const tessera::PrimalDual solver(
      fidelity, {variation}, std::make_shared<tessera::BoxPrior>(),
      {.ratio = 2000, .stopping = {.max_iterations = 300, .relative_change = 1e-4}});
  const tessera::SolveResult result = solver.solve(filtered.clamp_min(0));

  tessera::write_image(argv[1], filtered.clamp(0, 1));
  tessera::write_image(argv[2], result.x.clamp(0, 1));
  std::printf("filtered %.2f dB, restored %.2f dB after %d iterations in %.1f s\n",
              tessera::psnr(filtered, truth).item<double>(),
              tessera::psnr(result.x, truth).item<double>(), static_cast<int>(result.iterations),
              result.elapsed_s);
  return 0;
} catch (const std::exception& failure) {
  return std::fprintf(stderr, "fan_beam_slice: %s\n", failure.what()), 1;
}
