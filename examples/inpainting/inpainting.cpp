// SPDX-License-Identifier: BSD-3-Clause
// Fills in a photograph of which one pixel in four was measured, with noise: a learned denoiser as
// prior, half-quadratic splitting.
//   inpainting photograph.png measured.png restored.png
#include <ATen/ops/rand.h>
#include <ATen/ops/where.h>

#include <cstdio>

#include "tessera/denoiser/drunet.hpp"
#include "tessera/io/default_weights.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/state_dict.hpp"
#include "tessera/tessera.hpp"

using tessera::Tensor;

int main(int argc, char** argv) try {
  if (argc != 4) return std::fputs("usage: inpainting IMAGE MEASURED RESTORED\n", stderr), 2;
  constexpr double noise = 0.02;
  const Tensor truth = tessera::read_image(argv[1]);

  // One mask for all channels: (1, 1, H, W).
  at::manual_seed(42);
  const Tensor mask = at::rand({1, 1, truth.size(2), truth.size(3)}) < 0.25;
  auto sensor = std::make_shared<tessera::Masking>(mask);
  sensor->set_noise(std::make_shared<tessera::GaussianNoise>(noise, /*seed=*/42));
  const tessera::TensorList y = {sensor->measure(truth).front() * mask};

  const tessera::L2 fidelity(sensor, y, truth);
  const auto weights =
      truth.size(1) == 1 ? tessera::DefaultWeights::drunet_grey : tessera::DefaultWeights::drunet;
  const auto network = std::make_shared<tessera::DRUNet>(
      tessera::read_state_dict(tessera::default_weights(weights)));
  const auto prior = tessera::PlugAndPlay::matched(network);
  // More iterations than a blur needs: the denoiser carries what is known into the gaps.
  const tessera::HQS solver(fidelity, prior, {.schedule = tessera::HqsSchedule::dpir(noise, 24)});
  // To begin with, each gap is the mean of what was measured around it.
  const tessera::Blur around(tessera::gaussian_kernel(2, 2));
  const Tensor mean = around.apply(y.front()) / around.apply(mask.to(truth.options()));
  const tessera::SolveResult result = solver.solve(at::where(mask, y.front(), mean));

  tessera::write_image(argv[2], y.front().clamp(0, 1));
  tessera::write_image(argv[3], result.x.clamp(0, 1));
  std::printf("one pixel in four measured, restored %.2f dB in %.1f s\n",
              tessera::psnr(result.x, truth).item<double>(), result.elapsed_s);
  return 0;
} catch (const std::exception& failure) {
  return std::fprintf(stderr, "inpainting: %s\n", failure.what()), 1;
}
