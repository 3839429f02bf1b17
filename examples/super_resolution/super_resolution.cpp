// SPDX-License-Identifier: BSD-3-Clause
// One photograph out of several of half its resolution, each moved by a known part of a pixel: a
// learned denoiser as prior, half-quadratic splitting with exact inner solutions.
//   super_resolution photograph.png frame.png restored.png
#include <cstdio>

#include "tessera/denoiser/drunet.hpp"
#include "tessera/io/default_weights.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/state_dict.hpp"
#include "tessera/tessera.hpp"

using tessera::Tensor;

int main(int argc, char** argv) try {
  if (argc != 4) return std::fputs("usage: super_resolution IMAGE FRAME RESTORED\n", stderr), 2;
  constexpr double noise = 0.03;
  Tensor truth = tessera::read_image(argv[1]);
  for (std::int64_t d = 2; d < 4; ++d) truth = truth.narrow(d, 0, truth.size(d) / 2 * 2);

  // Four frames, moved by 0, 0.7, 1.4 and 2.1 pixels down and half as much to the left.
  const auto make_frame = [&](std::int64_t index) {
    const auto camera = std::make_shared<tessera::Downsampling>(
        2, tessera::gaussian_kernel(0.8, 0.8), tessera::BlurOptions{tessera::Padding::circular});
    camera->set_noise(std::make_shared<tessera::GaussianNoise>(noise, /*seed=*/42, std::nullopt,
                                                               /*stream=*/index));
    const double moved = 0.7 * static_cast<double>(index);
    return tessera::compose(
        camera, std::make_shared<tessera::Translation>(std::vector<double>{moved, -moved / 2}));
  };
  const auto frames = std::make_shared<tessera::StackedPhysics>(4, make_frame);
  const tessera::TensorList y = frames->measure(truth);

  const tessera::L2 fidelity(frames, y, truth);
  const auto network =
      std::make_shared<tessera::DRUNet>(tessera::read_state_dict(tessera::default_weights()));
  const auto prior = tessera::PlugAndPlay::matched(network);
  const tessera::HQS solver(fidelity, prior, {.schedule = tessera::HqsSchedule::dpir(noise, 8)});
  const tessera::SolveResult result = solver.solve(fidelity.adjoint_of_data());

  const Tensor frame = y.front().repeat_interleave(2, 2).repeat_interleave(2, 3);
  tessera::write_image(argv[2], frame.clamp(0, 1));
  tessera::write_image(argv[3], result.x.clamp(0, 1));
  std::printf("one frame, pixels doubled: %.2f dB, restored %.2f dB in %.1f s\n",
              tessera::psnr(frame, truth).item<double>(),
              tessera::psnr(result.x, truth).item<double>(), result.elapsed_s);
  return 0;
} catch (const std::exception& failure) {
  return std::fprintf(stderr, "super_resolution: %s\n", failure.what()), 1;
}
