// SPDX-License-Identifier: BSD-3-Clause
// Restores one blurred, noisy photograph: the smallest complete use of tessera.
//   first_image photograph.png restored.png
#include <cstdio>

#include "tessera/io/image.hpp"
#include "tessera/tessera.hpp"

int main(int argc, char** argv) try {
  if (argc != 3) return std::fputs("usage: first_image IMAGE RESTORED\n", stderr), 2;
  const tessera::Tensor truth = tessera::read_image(argv[1]);

  // What an instrument would measure: y = A x + noise.
  auto blur = std::make_shared<tessera::Blur>(tessera::gaussian_kernel(2.0, 1.0, 30));
  blur->set_noise(std::make_shared<tessera::GaussianNoise>(0.02, /*seed=*/42));
  const tessera::TensorList y = blur->measure(truth);

  // Least squares, a total-variation prior, and the iteration that brings them together.
  const tessera::L2 fidelity(blur, y, truth);
  const auto prior =
      tessera::PlugAndPlay::fixed(std::make_shared<tessera::TotalVariation>(), 0.008);
  const tessera::PnP solver(
      fidelity, prior, {.step = 1 / blur->norm_squared(truth), .stopping = {.max_iterations = 40}});
  const tessera::SolveResult result = solver.solve(y.front());

  tessera::write_image(argv[2], result.x);
  std::printf("measured %.2f dB, restored %.2f dB in %.1f s (%s)\n",
              tessera::psnr(y.front(), truth).item<double>(),
              tessera::psnr(result.x, truth).item<double>(), result.elapsed_s,
              to_string(result.reason).c_str());
  return 0;
} catch (const std::exception& failure) {
  return std::fprintf(stderr, "first_image: %s\n", failure.what()), 1;
}
