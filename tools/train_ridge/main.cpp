// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include "../train_denoiser/adam.hpp"
#include "../train_denoiser/evaluation.hpp"
#include "../train_denoiser/photographs.hpp"
#include "ridge_model.hpp"
#include "settings/version.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/safetensors.hpp"
#include "tessera/prior/ridge_denoiser.hpp"
#include "volumes.hpp"

using tessera::Tensor;
using Clock = std::chrono::steady_clock;

namespace {

struct Options {
  std::vector<std::string> photographs;
  std::vector<std::string> validation;
  std::int64_t volumes = 0;
  std::vector<double> levels{12.75, 25.5};
  std::string out = "ridge.safetensors";
  std::string init;
  bool evaluate = false;
  std::int64_t channels = 32;
  std::int64_t size = 7;
  std::int64_t crop = 44;
  std::int64_t batch = 16;
  std::int64_t steps = 1500;
  std::int64_t graph_steps = 6;
  std::int64_t most_free_steps = 12;
  std::int64_t log_every = 20;
  std::int64_t seed = 1;
  int threads = 1;
  double limit_s = 0;
};

constexpr double lowest_level = 3.0 / 255;
constexpr double highest_level = 50.0 / 255;
constexpr std::uint64_t first_held_out = 1 << 20;  // seeds of volumes that training never sees

/// Clean crops to train with, (count, 1, crop...).
using Draw = std::function<Tensor(std::int64_t count, at::Generator& generator)>;

/// A parameter, and how it is learned.
class Learned {
 public:
  /// `rate` is that of the first step.
  Learned(Tensor parameter, double rate)
      : parameter_(std::move(parameter)),
        rate_(rate),
        moments_{at::zeros_like(parameter_), at::zeros_like(parameter_)} {}

  /// One step by its gradient, at this share of the rate.
  void step(double share) {
    const at::NoGradGuard no_graph;
    adam_step(parameter_, parameter_.grad(), moments_, ++steps_, share * rate_);
    parameter_.mutable_grad().reset();
  }

 private:
  Tensor parameter_;
  double rate_;
  Moments moments_;
  std::int64_t steps_ = 0;
};

/// Absolute error of one batch, weighted so that all levels count alike, away from the borders,
/// which the filters see less of.
Tensor loss_of(const RidgeModel& model, const Draw& draw, const Options& options,
               at::Generator& generator) {
  const Tensor clean = draw(options.batch, generator);
  std::vector<std::int64_t> per_image(static_cast<std::size_t>(clean.dim()), 1);
  per_image[0] = options.batch;
  const std::optional<at::Generator> source(generator);
  const Tensor uniform =
      at::rand({options.batch + 1}, source, at::TensorOptions().dtype(at::kFloat));
  const Tensor levels =
      lowest_level + (highest_level - lowest_level) * uniform.narrow(0, 0, options.batch);
  const Tensor weights = (levels * 255 + 1).pow(-0.4).view(per_image);
  const Tensor noise = at::randn(clean.sizes(), source, at::TensorOptions().dtype(at::kFloat));
  const auto free = static_cast<std::int64_t>(uniform[options.batch].item<double>() *
                                              static_cast<double>(options.most_free_steps + 1));
  const Tensor denoised =
      model.denoise(clean + noise * levels.view(per_image), levels, free, options.graph_steps);
  const std::int64_t margin = model.filter_extent() - 1;
  const std::int64_t inside = options.crop - 2 * margin;
  Tensor error = (denoised - clean).abs() * weights;
  for (std::int64_t axis = 2; axis < error.dim(); ++axis) {
    error = error.narrow(axis, margin, inside);
  }
  return error.mean();
}

Draw make_draw(const Options& options) {
  if (options.volumes > 0) {
    const auto volumes = std::make_shared<Volumes>(options.volumes, 0);
    return [volumes, &options](std::int64_t count, at::Generator& generator) {
      return volumes->draw(count, options.crop, generator);
    };
  }
  const auto photographs = std::make_shared<Photographs>(options.photographs, options.crop);
  return [photographs](std::int64_t count, at::Generator& generator) {
    return grey(photographs->draw(count, generator));
  };
}

void train(const Options& options) {
  const Draw draw = make_draw(options);
  at::Generator generator =
      at::detail::createCPUGenerator(static_cast<std::uint64_t>(options.seed));
  RidgeModel model = options.init.empty()
                         ? RidgeModel(options.volumes > 0 ? 3 : 2, options.channels, options.size)
                         : RidgeModel(tessera::read_safetensors(options.init));
  const std::vector<Tensor> parameters = model.parameters();
  std::vector<Learned> learned{{parameters[0], 3e-3}, {parameters[1], 3e-2}, {parameters[2], 1e-2}};
  const auto start = Clock::now();
  double mean = 0;
  for (std::int64_t step = 0; step < options.steps; ++step) {
    const double elapsed_s = std::chrono::duration<double>(Clock::now() - start).count();
    const double by_steps = static_cast<double>(step) / static_cast<double>(options.steps);
    const double progress =
        options.limit_s > 0 ? std::max(by_steps, elapsed_s / options.limit_s) : by_steps;
    if (progress >= 1) break;
    const Tensor loss = loss_of(model, draw, options, generator);
    loss.backward();
    const double share = 0.5 * (1 + std::cos(std::numbers::pi * progress));
    for (Learned& one : learned) one.step(share);
    model.project();
    mean += loss.item<double>() / static_cast<double>(options.log_every);
    if ((step + 1) % options.log_every == 0) {
      std::puts(
          fmt::format("step {:>5}  loss {:.6f}  {:.0f} s", step + 1, mean, elapsed_s).c_str());
      std::fflush(stdout);
      mean = 0;
      tessera::write_safetensors(options.out, model.weights());
    }
  }
  tessera::write_safetensors(options.out, model.weights());
}

/// Grey photographs, or volumes: the prior beside total variation at its best weight of a list.
void evaluate(const Options& options) {
  const tessera::RidgeDenoiser ridge(tessera::read_safetensors(options.out));
  std::puts(fmt::format("Lipschitz constant {:.3f}, weak convexity {:.3f}",
                        *ridge.prior().gradient_lipschitz(), ridge.prior().weak_convexity())
                .c_str());
  std::puts(to_line("PSNR in dB at noise", options.levels).c_str());
  std::vector<Validation> held_out = read_validation(options.validation, /*as_grey=*/true);
  if (ridge.prior().dimensions() == 3) {
    for (std::uint64_t seed = first_held_out; seed < first_held_out + 4; ++seed) {
      held_out.push_back({fmt::format("volume {}", seed), random_volume(seed)});
    }
    for (std::uint64_t seed = first_held_out; seed < first_held_out + 2; ++seed) {
      held_out.push_back({fmt::format("smooth volume {}", seed), smooth_volume(seed)});
    }
    held_out.push_back({"benchmark volume", benchmark_volume()});
  }
  if (held_out.empty()) {
    throw tessera::error::InvalidArgument("--validation: photographs are needed to measure with");
  }
  for (const Validation& photograph : held_out) {
    std::puts(to_line(photograph.name, psnr_per_level(ridge, photograph, options.levels)).c_str());
    std::puts(
        to_line("  total variation", best_total_variation(photograph, options.levels)).c_str());
  }
}

void run(const Options& options) {
  at::set_num_threads(options.threads);
  if (!options.evaluate) train(options);
  if (options.evaluate || !options.validation.empty()) evaluate(options);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains a RidgePrior of grey images or of volumes as a denoiser", "train_ridge");
  app.set_version_flag("--version", [] { return settings::version_text("train_ridge"); });
  app.get_formatter()->column_width(34);
  app.option_defaults()->always_capture_default();
  CLI::Option* photographs =
      app.add_option("--photographs", options.photographs, "Pictures and folders of pictures");
  app.add_option("--volumes", options.volumes,
                 "Trains on so many generated volumes instead; --evaluate measures with others")
      ->check(CLI::NonNegativeNumber)
      ->excludes(photographs);
  app.add_option("--validation", options.validation, "Photographs to measure with, in the end");
  app.add_option("--levels", options.levels, "Noise levels to measure at, on the scale 0 to 255")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_flag("--evaluate", options.evaluate, "Measure the weights --out, do not train")
      ->excludes(photographs);
  app.add_option("--out", options.out, "Weights (.safetensors)");
  app.add_option("--init", options.init, "Weights of this program to start from");
  app.add_option("--channels", options.channels, "Filters")->check(CLI::Range(1, 1000));
  app.add_option("--size", options.size, "Extent of a filter, odd")->check(CLI::Range(3, 31));
  app.add_option("--crop", options.crop, "Extent of a crop of a photograph or volume")
      ->check(CLI::Range(16, 512));
  app.add_option("--batch", options.batch, "Crops per step")->check(CLI::PositiveNumber);
  app.add_option("--steps", options.steps, "Training steps")->check(CLI::PositiveNumber);
  app.add_option("--graph-steps", options.graph_steps, "Gradient steps that are differentiated")
      ->check(CLI::PositiveNumber);
  app.add_option("--free-steps", options.most_free_steps, "Most gradient steps before them")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--log-every", options.log_every, "Steps between progress lines")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "Of crops and noise")->check(CLI::NonNegativeNumber);
  app.add_option("--threads", options.threads, "Cores")->check(CLI::PositiveNumber);
  app.add_option("--limit", options.limit_s, "Seconds after which the training ends; 0: none")
      ->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  if (!options.evaluate && options.photographs.empty() && options.volumes == 0) {
    fmt::print(stderr, "train_ridge: --photographs or --volumes is needed for training\n");
    return 1;
  }
  try {
    run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "train_ridge: {}\n", error.what());
    return 1;
  }
  return 0;
}
