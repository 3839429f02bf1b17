// SPDX-License-Identifier: BSD-3-Clause
// A volume from four views of a light-sheet microscope, each blurred along another axis: Poisson
// likelihood and total variation by a primal-dual iteration, beside maximum likelihood (MLEM).
//   multi_view picture.png
#include <ATen/Context.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cstdio>

#include "tessera/io/image.hpp"
#include "tessera/tessera.hpp"

using tessera::Tensor;

namespace {

/// Nuclei in the shell of an ellipsoid, 0 to 1.
Tensor embryo() {
  at::manual_seed(7);
  const Tensor directions = at::randn({150, 3});
  const Tensor shell = (at::rand({150, 1}) * 0.18 + 0.68) / directions.norm(2, 1, true);
  const Tensor places = at::tensor({24.0, 40.0, 48.0}) * (1 + shell * directions);
  Tensor volume = at::zeros({48, 80, 96});
  for (const Tensor& place : places.unbind()) {
    const Tensor squares = (at::arange(48).view({-1, 1, 1}) - place[0]).square() +
                           (at::arange(80).view({-1, 1}) - place[1]).square() +
                           (at::arange(96) - place[2]).square();
    volume = at::maximum(volume, (2 * (3 - squares.sqrt())).sigmoid());
  }
  return volume.view({1, 1, 48, 80, 96});
}

/// The brightest of each line along the depth; below it, the slice of the middle row.
Tensor shown(const Tensor& volume) {
  const Tensor both = at::cat({volume.amax(2), volume.select(3, 40)}, 2).clamp(0, 1);
  return both.repeat_interleave(2, 2).repeat_interleave(2, 3);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) return std::fputs("usage: multi_view PICTURE\n", stderr), 2;
  constexpr double white = 40;  // photons in the brightest voxel, over two of background
  const Tensor truth = embryo();
  // The specimen turns about its rows' axis, in steps of 45 degrees; a focus is long, not wide.
  const auto views = std::make_shared<tessera::StackedPhysics>(4, [](std::int64_t view) {
    const Tensor turned = tessera::gaussian_kernel(4, 1, 45.0 * static_cast<double>(view));
    const Tensor across = tessera::gaussian_kernel({1.0}).view({1, 1, 1, -1, 1});
    auto blur = std::make_shared<tessera::Blur>(turned.unsqueeze(3) * across);
    blur->set_noise(std::make_shared<tessera::PoissonNoise>(tessera::PoissonNoiseOptions{
        .background = 2, .seed = 42 + static_cast<std::uint64_t>(view)}));
    return blur;
  });
  const tessera::TensorList counts = views->measure(white * truth);

  const auto distance =
      std::make_shared<tessera::PoissonDistance>(tessera::PoissonDistanceOptions{.background = 2});
  const tessera::DataFidelity fidelity(views, counts, distance);
  const tessera::MLEM mlem(fidelity, {.stopping = {.max_iterations = 40}});
  const Tensor likely = mlem.solve(at::full_like(truth, 4)).x;
  // min sum_i KL(A_i x + background, counts_i) + weight TV(x) over x >= 0
  const tessera::MappedPrior variation{std::make_shared<tessera::FiniteDifferences>(),
                                       std::make_shared<tessera::GroupL1Prior>(), 0.08};
  const tessera::PrimalDual solver(fidelity, {variation}, std::make_shared<tessera::BoxPrior>(),
                                   {.ratio = 0.1, .stopping = {.max_iterations = 200}});
  const tessera::SolveResult result = solver.solve(likely);

  const Tensor view = (counts.front() - 2) / white;
  tessera::write_image(
      argv[1],
      at::cat({shown(view), shown(likely / white), shown(result.x / white), shown(truth)}, 3));
  const auto psnr = [&](const Tensor& x) { return tessera::psnr(x, truth).item<double>(); };
  std::printf("a view %.2f dB, MLEM %.2f dB, restored %.2f dB in %.1f s\n", psnr(view),
              psnr(likely / white), psnr(result.x / white), result.elapsed_s);
  return 0;
} catch (const std::exception& failure) {
  return std::fprintf(stderr, "multi_view: %s\n", failure.what()), 1;
}
