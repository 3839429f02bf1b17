// SPDX-License-Identifier: BSD-3-Clause
// A volume seen several times through noise: a network for photographs, its weights inflated to
// volumes, as prior; tiles with a context of their own along each axis, shared out over ranks.
//   mpiexec -n 2 noisy_volume --size 32x64x64
//     --size DxHxW     extents of the volume
//     --tiles N        at least so many tiles, one by one: less memory
//     --copies N       noisy copies
//     --iterations N
//     --weights FILE   of a DRUNet for grey images or volumes; otherwise those that ship
//     --out FOLDER     truth.npy, measurements.npy (one rank's) and x.npy are written there
#include <ATen/ops/linspace.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>
#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <numbers>
#include <sstream>
#include <string>

#include "tessera/comm/mpi.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/denoiser/inflate_2d.hpp"
#include "tessera/io/default_weights.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/io/state_dict.hpp"
#include "tessera/tessera.hpp"

using tessera::Tensor;

namespace {

constexpr double noise = 0.1;

/// "32x64x64"
tessera::Extents extents_of(std::string text) {
  for (char& character : text) character = character == 'x' ? ' ' : character;
  std::istringstream words(text);
  tessera::Extents extents(3);
  words >> extents[0] >> extents[1] >> extents[2];
  if (words.fail() || !words.eof() || *std::min_element(extents.begin(), extents.end()) < 1)
    throw tessera::error::InvalidArgument("--size: expected three extents, such as 32x64x64");
  return extents;
}

/// A ball, a ramp along the depth and a fine ripple: (1, 1, D, H, W).
Tensor scene(const tessera::Extents& extents) {
  Tensor distance = at::zeros({});
  Tensor ripple = at::ones({});
  Tensor ramp;
  for (std::int64_t d = 0; d < 3; ++d) {
    std::vector<std::int64_t> shape(5, 1);
    const std::int64_t extent = extents[static_cast<std::size_t>(d)];
    shape[static_cast<std::size_t>(d) + 2] = extent;
    const Tensor along = at::linspace(-1, 1, extent).view(shape);
    distance = distance + (along + 0.1).square();
    ripple = ripple * at::sin(8 * std::numbers::pi * along);
    if (d == 0) ramp = along;
  }
  return (0.8 * (distance.sqrt() < 0.4) + 0.3 * ramp + 0.3 + 0.1 * ripple).clamp(0, 1);
}

/// What is measured is the volume itself, and noise.
class Copy final : public tessera::LinearOperator {
 public:
  explicit Copy(std::int64_t index) {
    set_noise(std::make_shared<tessera::GaussianNoise>(noise, /*seed=*/42, std::pair(0.0, 1.0),
                                                       /*stream=*/index));
  }
  std::string name() const override { return "copy"; }

 private:
  Tensor do_apply(const Tensor& x) const override { return x; }
  Tensor do_apply_adjoint(const Tensor& v) const override { return v; }
};

/// Denoises at one level and goes part of the way there: (z + l D(z)) / (1 + l), l = step * weight.
class RelaxedDenoiser final : public tessera::Prior {
 public:
  RelaxedDenoiser(tessera::DenoiserPtr denoiser, double sigma, double weight)
      : denoiser_(std::move(denoiser)), sigma_(sigma), weight_(weight) {}
  std::string name() const override { return "relaxed_denoiser"; }
  tessera::Communicator& communicator() const override { return denoiser_->communicator(); }

 private:
  Tensor do_prox(const Tensor& z, double step) const override {
    const double part = step * weight_ / (1 + step * weight_);
    return (1 - part) * z + part * denoiser_->denoise(z, sigma_);
  }

  tessera::DenoiserPtr denoiser_;
  double sigma_;
  double weight_;
};

/// Weights for volumes, whatever the file has.
tessera::StateDict weights_for_volumes(const std::string& file) {
  const tessera::StateDict weights = tessera::read_state_dict(
      file.empty() ? tessera::default_weights(tessera::DefaultWeights::drunet_grey) : file);
  return tessera::is_for_volumes(weights) ? weights : tessera::inflate_2d(weights);
}

int run(std::map<std::string, std::string> options, const tessera::CommunicatorPtr& ranks) {
  const c10::InferenceMode inference;
  const tessera::Extents extents = extents_of(options.at("--size"));
  const std::int64_t copies = std::stoll(options.at("--copies"));
  const Tensor truth = scene(extents);
  const auto physics = std::make_shared<tessera::DistributedPhysics>(
      copies, [](std::int64_t index) { return std::make_unique<Copy>(index); }, ranks);
  const tessera::TensorList y = physics->measure(truth);
  const tessera::L2 fidelity(physics, y, truth);

  // Kernels of 2-D weights do not see beyond their slice, but for the coarse scales: less context
  // is needed along the depth.
  tessera::TilingOptions tiling;
  tiling.context = {2, 16, 16};
  tiling.blend = {2, 8, 8};
  tiling.minimum_tiles = std::stoll(options.at("--tiles"));
  const auto network =
      std::make_shared<tessera::DRUNet>(weights_for_volumes(options.at("--weights")));
  const auto tiled = std::make_shared<tessera::TiledDenoiser>(network, ranks, tiling);
  const RelaxedDenoiser prior(tiled, 0.03, 40);

  tessera::PnPOptions pnp;
  pnp.step = 0.99 / static_cast<double>(copies);  // ||A||^2 is the number of copies
  pnp.clamp_range = {0.0, 1.0};
  pnp.stopping.max_iterations = std::stoll(options.at("--iterations"));
  const Tensor mean = fidelity.adjoint_of_data() / static_cast<double>(copies);
  const tessera::SolveResult result = tessera::PnP(fidelity, prior, pnp).solve(mean);

  if (!ranks->is_root()) return 0;
  std::printf("%s, %zu tiles: mean of the copies %.2f dB, restored %.2f dB in %.2f s\n",
              options.at("--size").c_str(), tiled->plan(truth.sizes().vec()).tiles().size(),
              tessera::psnr(mean, truth).item<double>(),
              tessera::psnr(result.x, truth).item<double>(), result.elapsed_s);
  if (const std::string folder = options.at("--out"); !folder.empty()) {
    std::filesystem::create_directories(folder);
    tessera::write_npy(folder + "/truth.npy", truth);
    tessera::write_npy(folder + "/measurements.npy", at::stack(y));
    tessera::write_npy(folder + "/x.npy", result.x);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options = {{"--size", "32x64x64"}, {"--tiles", "1"},
                                                {"--copies", "2"},      {"--iterations", "6"},
                                                {"--weights", ""},      {"--out", ""}};
  for (int i = 1; i < argc; i += 2) {
    const auto option = options.find(argv[i]);
    if (option == options.end() || i + 1 == argc) {
      return std::fprintf(stderr, "noisy_volume: unknown option, or one without a value: %s\n",
                          argv[i]),
             2;
    }
    option->second = argv[i + 1];
  }
  return tessera::run_with_mpi(argc, argv, "noisy_volume",
                               [&](const auto& ranks) { return run(options, ranks); });
}
