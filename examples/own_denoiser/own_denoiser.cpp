// SPDX-License-Identifier: BSD-3-Clause
// A denoiser of one's own: tiles give what it gives on the whole image, and solvers take it as a
// prior.
#include <ATen/ops/arange.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/zeros_like.h>

#include <cstdio>

#include "tessera/tessera.hpp"

using tessera::Tensor;

namespace {

/// Mean of the neighbours, those weighing most that look alike (bilateral filter: Tomasi and
/// Manduchi, ICCV 1998).
class Bilateral : public tessera::Denoiser {
 public:
  std::string name() const override { return "bilateral"; }
  std::optional<std::int64_t> reach() const override { return radius; }

 private:
  static constexpr std::int64_t radius = 2;

  Tensor do_denoise(const Tensor& x, const tessera::NoiseLevel& sigma) const override {
    if (x.dim() != 4) {
      throw tessera::error::ShapeMismatch("bilateral: x is " + tessera::describe(x) +
                                          ", expected (B, C, H, W)");
    }
    const Tensor scale = 2 * (2 * sigma.broadcastable(x)).square().clamp_min(1e-12);
    const Tensor bordered = at::pad(x, {radius, radius, radius, radius}, "replicate");
    Tensor sum = at::zeros_like(x);
    Tensor weights = at::zeros_like(x);
    for (std::int64_t row = 0; row <= 2 * radius; ++row) {
      for (std::int64_t column = 0; column <= 2 * radius; ++column) {
        const Tensor neighbour = bordered.narrow(2, row, x.size(2)).narrow(3, column, x.size(3));
        const Tensor weight = at::exp(-(neighbour - x).square() / scale);
        sum += weight * neighbour;
        weights += weight;
      }
    }
    return sum / weights;
  }
};

}  // namespace

int main() {
  const Tensor ramp = at::arange(96, at::kDouble);
  const Tensor truth = 0.5 + 0.4 * at::sin(0.003 * ramp.view({1, 1, -1, 1}) * ramp).sign();
  const auto bilateral = std::make_shared<Bilateral>();

  // Tiles with a context of reach() pixels. On many ranks: their communicator.
  const auto blur = std::make_shared<tessera::Blur>(tessera::gaussian_kernel(1.5, 0.5, 30));
  blur->set_noise(std::make_shared<tessera::GaussianNoise>(0.1, /*seed=*/1));
  const tessera::TensorList y = blur->measure(truth);
  const auto tiled = std::make_shared<tessera::TiledDenoiser>(
      bilateral, tessera::self_communicator(), tessera::TilingOptions{.minimum_tiles = 9});
  const double difference =
      (tiled->denoise(y[0], 0.1) - bilateral->denoise(y[0], 0.1)).abs().max().item<double>();
  std::printf("9 tiles and the whole image differ by %.1e\n", difference);

  // Half-quadratic splitting with levels that fall to that of the noise.
  const tessera::L2 fidelity(blur, y, truth);
  const tessera::PlugAndPlay prior = tessera::PlugAndPlay::matched(tiled);
  const tessera::HQS solver(fidelity, prior, {.schedule = tessera::HqsSchedule::dpir(0.1, 8)});
  const Tensor x = solver.solve(y[0]).x;
  std::printf("measured %.2f dB, restored %.2f dB\n", tessera::psnr(y[0], truth).item<double>(),
              tessera::psnr(x, truth).item<double>());
  return difference < 1e-12 ? 0 : 1;
}
