// SPDX-License-Identifier: BSD-3-Clause
// A phantom seen by eight coils, of whose k-space every third column and the centre are measured:
// maps of the coils from the centre, then total variation.
//   magnetic_resonance zero_filled.png restored.png
#include <ATen/ops/linspace.h>
#include <ATen/ops/polar.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstdio>

#include "tessera/fourier/coil_maps.hpp"
#include "tessera/fourier/multi_coil_fourier.hpp"
#include "tessera/io/image.hpp"
#include "tessera/tessera.hpp"

using tessera::Tensor;
constexpr std::int64_t extent = 256;
const Tensor rows = at::linspace(-1, 1, extent, at::kFloat).view({-1, 1});
const Tensor columns = rows.view({1, -1});

/// Ellipses of a head: brightness, half axes, centre, angle.
Tensor phantom() {
  Tensor image = at::zeros({extent, extent});
  const auto add = [&](double value, double a, double b, double x, double y, double angle) {
    const Tensor along = std::cos(angle) * (columns - x) + std::sin(angle) * (rows - y);
    const Tensor across = std::cos(angle) * (rows - y) - std::sin(angle) * (columns - x);
    image += value * ((along / a).square() + (across / b).square() < 1);
  };
  add(0.9, 0.69, 0.92, 0, 0, 0), add(-0.6, 0.66, 0.87, 0, 0.02, 0);
  add(-0.2, 0.11, 0.31, 0.22, 0, 0.31), add(-0.2, 0.16, 0.41, -0.22, 0, -0.31);
  add(0.3, 0.21, 0.25, 0, -0.35, 0), add(0.2, 0.046, 0.046, 0, 0.1, 0);
  add(0.2, 0.046, 0.046, 0, -0.1, 0), add(0.3, 0.046, 0.023, -0.08, 0.6, 0);
  add(0.3, 0.023, 0.046, 0.06, 0.6, 0);
  return image;
}

/// Eight coils around the head, each with its own phase; squares add up to 1 at each pixel.
Tensor sensitivities() {
  tessera::TensorList coils;
  for (int k = 0; k < 8; ++k) {
    const double angle = k * 3.14159265 / 4;
    const Tensor right = columns - 1.2 * std::cos(angle);
    const Tensor down = rows - 1.2 * std::sin(angle);
    coils.push_back(at::polar((-(right.square() + down.square())).exp(), right - down + angle));
  }
  const Tensor all = at::stack(coils).unsqueeze(0);
  return all / all.abs().square().sum(1, /*keepdim=*/true).sqrt();
}

int main(int argc, char** argv) try {
  if (argc != 3) return std::fputs("usage: magnetic_resonance ZERO_FILLED RESTORED\n", stderr), 2;
  const Tensor truth = phantom().view({1, 1, extent, extent});
  Tensor mask = at::zeros({1, extent}, at::kBool);
  mask.slice(1, 0, extent, 3).fill_(true);
  mask.narrow(1, extent / 2 - 16, 32).fill_(true);
  tessera::MultiCoilFourier scanner(sensitivities(), mask, {.complex_pairs = false});
  scanner.set_noise(std::make_shared<tessera::GaussianNoise>(0.01, /*seed=*/42));
  const Tensor kspace = scanner.measure(truth).front() * mask;
  // From here on as with a scanner's file: k-space and mask are all that is known.
  const Tensor maps = tessera::estimate_coil_maps(kspace, {32, 32});
  const auto physics = std::make_shared<tessera::MultiCoilFourier>(maps, mask);
  const Tensor zero_filled = physics->apply_adjoint(kspace);
  const tessera::L2 fidelity(physics, {kspace}, zero_filled);
  const tessera::TotalVariationPrior prior(0.002);
  const tessera::ProximalGradient solver(fidelity, prior, {.stopping = {.max_iterations = 60}});
  const tessera::SolveResult result = solver.solve(zero_filled);

  const Tensor before = tessera::to_complex(zero_filled).abs();
  const Tensor after = tessera::to_complex(result.x).abs();
  tessera::write_image(argv[1], before.clamp(0, 1));
  tessera::write_image(argv[2], after.clamp(0, 1));
  std::printf("zero-filled %.2f dB, restored %.2f dB in %.1f s\n",
              tessera::psnr(before, truth).item<double>(),
              tessera::psnr(after, truth).item<double>(), result.elapsed_s);
  return 0;
} catch (const std::exception& failure) {
  return std::fprintf(stderr, "magnetic_resonance: %s\n", failure.what()), 1;
}
