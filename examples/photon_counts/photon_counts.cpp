// SPDX-License-Identifier: BSD-3-Clause
// Restores a photograph of which few photons were counted: Poisson likelihood, total variation,
// nonnegativity, by a primal-dual iteration.
//   photon_counts photograph.png counted.png restored.png
#include <cstdio>

#include "tessera/io/image.hpp"
#include "tessera/tessera.hpp"

using tessera::Tensor;

int main(int argc, char** argv) try {
  if (argc != 4) return std::fputs("usage: photon_counts IMAGE COUNTED RESTORED\n", stderr), 2;
  constexpr double white = 60;  // photons in the brightest pixel
  const Tensor truth = tessera::read_image(argv[1]).mean(1, /*keepdim=*/true);

  // What a camera would count behind a blurred lens, over two photons of background.
  const tessera::PoissonNoiseOptions counting{.background = 2, .seed = 42};
  auto blur = std::make_shared<tessera::Blur>(tessera::gaussian_kernel(1.2, 1.2));
  blur->set_noise(std::make_shared<tessera::PoissonNoise>(counting));
  const Tensor counts = blur->measure(white * truth).front();

  // min KL(A x + background, counts) + weight TV(x) over x >= 0
  const tessera::DataFidelity fidelity(
      blur, {counts},
      std::make_shared<tessera::PoissonDistance>(tessera::PoissonDistanceOptions{.background = 2}));
  const tessera::MappedPrior variation{std::make_shared<tessera::FiniteDifferences>(),
                                       std::make_shared<tessera::GroupL1Prior>(), 0.1};
  const tessera::PrimalDual solver(
      fidelity, {variation}, std::make_shared<tessera::BoxPrior>(),
      {.ratio = 1e-3, .stopping = {.max_iterations = 400, .relative_change = 1e-4}});
  const tessera::SolveResult result = solver.solve(counts);

  const Tensor counted = (counts - counting.background) / white;
  const Tensor restored = result.x / white;
  tessera::write_image(argv[2], counted.clamp(0, 1));
  tessera::write_image(argv[3], restored.clamp(0, 1));
  std::printf("counted %.2f dB, restored %.2f dB after %d iterations in %.1f s\n",
              tessera::psnr(counted, truth).item<double>(),
              tessera::psnr(restored, truth).item<double>(), static_cast<int>(result.iterations),
              result.elapsed_s);
  return 0;
} catch (const std::exception& failure) {
  return std::fprintf(stderr, "photon_counts: %s\n", failure.what()), 1;
}
