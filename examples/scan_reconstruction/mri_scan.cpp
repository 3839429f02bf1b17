// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/log.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include "scans.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fourier/multi_coil_fourier.hpp"

using namespace tessera;

namespace {

/// Sensitivities of coils on a circle just outside the picture, complex (1, coils, H, W): Gaussian
/// in the distance, with a phase that turns slowly; their squares add up to 1 everywhere.
Tensor circle_of_coils(std::int64_t coils, at::IntArrayRef spatial) {
  std::vector<Tensor> parts;
  const Tensor y = (2 * at::arange(spatial[0], at::kDouble) / spatial[0] - 1).view({-1, 1});
  const Tensor x = (2 * at::arange(spatial[1], at::kDouble) / spatial[1] - 1).view({1, -1});
  for (std::int64_t c = 0; c < coils; ++c) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(c) / static_cast<double>(coils);
    const Tensor across = x - 1.2 * std::cos(angle);
    const Tensor down = y - 1.2 * std::sin(angle);
    const Tensor strength = at::exp(-(across.square() + down.square()) / 1.6);
    const Tensor phase = angle + std::sin(angle) * x + std::cos(angle) * y;
    parts.push_back(at::complex(strength * phase.cos(), strength * phase.sin()));
  }
  const Tensor maps = at::stack(parts).unsqueeze(0);
  return maps / maps.abs().square().sum(1, true).sqrt();
}

/// 1 on the columns of k-space that are measured, (H, W).
Tensor columns_measured(const Options& options, at::IntArrayRef spatial) {
  const std::int64_t width = spatial[1];
  const auto total = std::clamp<std::int64_t>(
      std::llround(static_cast<double>(width) / options.acceleration), 1, width);
  const std::int64_t central = std::clamp<std::int64_t>(width * 8 / 100, 1, total);
  const std::int64_t first = (width - central) / 2;
  std::vector<std::int64_t> others;
  for (std::int64_t k = 0; k < width; ++k) {
    if (k < first || k >= first + central) others.push_back(k);
  }
  std::mt19937_64 generator(options.seed);
  for (std::size_t i = others.size(); i > 1; --i) {  // std::shuffle differs between libraries
    std::swap(others[i - 1], others[static_cast<std::size_t>(generator() % i)]);
  }
  Tensor mask = at::zeros({spatial[0], width}, at::kDouble);
  mask.narrow(1, first, central).fill_(1);
  for (std::int64_t i = 0; i < total - central; ++i) {
    mask.select(1, others[static_cast<std::size_t>(i)]).fill_(1);
  }
  return mask;
}

class MriScan final : public Scan {
 public:
  MriScan(const Options& options, at::IntArrayRef spatial)
      : Scan(options),
        coils_(circle_of_coils(options.coils, spatial)),
        mask_(columns_measured(options, spatial)) {
    if (options.num_operators > options.coils) {
      throw error::InvalidArgument(
          fmt::format("--num-operators: is {}, expected at most the number of coils, {}",
                      options.num_operators, options.coils));
    }
  }

  Tensor linear(const LinearPhysics& physics, const TensorList& measured,
                const Tensor& /*like*/) const override {
    return physics.adjoint(measured);
  }
  std::string linear_name() const override { return "zero-filled"; }

  Panel picture(const Tensor& measured) const override {
    const Tensor size = measured.select(1, 0).abs().unsqueeze(1);
    return {"k-space of coil 1", at::log(1 + 1e3 * size / size.max()) / std::log(1e3)};
  }

 private:
  std::unique_ptr<LinearOperator> make_part(std::int64_t index) const override {
    const std::int64_t parts = options().num_operators;
    const std::int64_t first = options().coils * index / parts;
    const std::int64_t end = options().coils * (index + 1) / parts;
    return std::make_unique<MultiCoilFourier>(
        coils_.narrow(1, first, end - first), mask_,
        MultiCoilFourierOptions{.complex_pairs = false, .centred = true});
  }

  Tensor coils_;
  Tensor mask_;
};

}  // namespace

std::unique_ptr<Scan> make_mri_scan(const Options& options, at::IntArrayRef spatial) {
  return std::make_unique<MriScan>(options, spatial);
}
