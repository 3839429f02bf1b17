// SPDX-License-Identifier: BSD-3-Clause
#include "trainer.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "tessera/core/error.hpp"
#include "tessera/io/safetensors.hpp"

using tessera::StateDict;
using tessera::Tensor;

namespace {

constexpr double highest_level = 50.0 / 255;
constexpr double very_low_level = 2.0 / 255;
constexpr double very_low_share = 0.1;
const std::string weights_prefix = "weights/";
const std::string setting_prefix = "setting/";

/// One per image, (B): uniform, with a share of very low ones.
Tensor draw_levels(std::int64_t count, at::Generator& generator) {
  const Tensor uniform = at::rand({2, count}, std::optional<at::Generator>(generator),
                                  at::TensorOptions().dtype(at::kFloat));
  return at::where(uniform[0] < very_low_share, uniform[1] * very_low_level,
                   uniform[1] * highest_level);
}

/// The error that remains grows about with this power of the level: divided by it, all levels count
/// alike.
Tensor level_weights(const Tensor& levels, bool squared) {
  return (levels * 255 + 1).pow(squared ? -0.8 : -0.4).view({-1, 1, 1, 1});
}

Tensor scalar(double value) {
  return at::tensor({value}, at::kDouble);
}

const Tensor& entry(const StateDict& stored, const std::string& name, const std::string& file) {
  const auto found = stored.find(name);
  if (found == stored.end()) {
    throw tessera::error::Io(fmt::format("{}: is no checkpoint, it has no {}", file, name));
  }
  return found->second;
}

}  // namespace

Trainer::Trainer(const StateDict& initial, const Settings& settings)
    : settings_(settings),
      parameters_(initial),
      flat_(parameters_.flatten(initial).clone()),
      gradient_(at::zeros_like(flat_)),
      average_(flat_.clone()),
      optimizer_(parameters_, settings.muon, settings.weight_decay),
      generator_(at::detail::createCPUGenerator(static_cast<std::uint64_t>(settings.seed))) {
  const StateDict gradients = parameters_.views(gradient_);
  StateDict leaves;
  for (const auto& [name, view] : parameters_.views(flat_)) {
    Tensor leaf = view.detach();
    leaf.requires_grad_();
    leaf.mutable_grad() = gradients.at(name);  // backward adds to it in place
    leaves[name] = leaf;
  }
  network_ = std::make_unique<tessera::DRUNet>(leaves);
  if (settings.crop % network_->alignment() != 0) {
    throw tessera::error::InvalidArgument(
        fmt::format("--crop: is {}, expected a multiple of {} for this network", settings.crop,
                    network_->alignment()));
  }
}

double Trainer::learning_rate() const {
  const double warm_up = static_cast<double>(settings_.warm_up);
  const double done = static_cast<double>(steps_);
  const double growing = std::min(1.0, (done + 1) / (warm_up + 1));
  const double progress = std::min(1.0, done / static_cast<double>(settings_.steps));
  return settings_.learning_rate * growing * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

double Trainer::step(const Photographs& photographs) {
  const Tensor colour = photographs.draw(settings_.batch, generator_);
  const Tensor clean = is_grey() ? grey(colour) : colour;
  const Tensor levels = draw_levels(settings_.batch, generator_);
  const Tensor noise = at::randn(clean.sizes(), std::optional<at::Generator>(generator_),
                                 at::TensorOptions().dtype(at::kFloat));
  const Tensor noisy = clean + noise * levels.view({-1, 1, 1, 1});

  gradient_.zero_();
  const Tensor residual = network_->denoise(noisy, levels) - clean;
  const Tensor error = settings_.squared ? residual.square() : residual.abs();
  const Tensor loss = (error * level_weights(levels, settings_.squared)).mean();
  loss.backward();

  const at::NoGradGuard no_gradients;
  optimizer_.step(flat_, gradient_, learning_rate());
  ++steps_;
  // Young averages forget faster: the first steps are not worth keeping.
  const double done = static_cast<double>(steps_);
  average_.lerp_(flat_, 1 - std::min(settings_.ema, (1 + done) / (10 + done)));
  return loss.item<double>();
}

StateDict Trainer::averaged() const {
  return parameters_.views(average_);
}

void Trainer::save(const std::string& checkpoint) {
  StateDict stored{{"average", average_},
                   {"first_moment", optimizer_.first_moment()},
                   {"second_moment", optimizer_.second_moment()},
                   {"generator", generator_.get_state()},
                   {"steps", scalar(static_cast<double>(steps_))}};
  for (const auto& [name, view] : parameters_.views(flat_)) stored[weights_prefix + name] = view;
  for_each_setting(settings_, [&](const std::string& name, const auto& value) {
    stored[setting_prefix + name] = scalar(static_cast<double>(value));
  });
  tessera::write_safetensors(checkpoint, stored);
}

std::unique_ptr<Trainer> Trainer::resume(const std::string& checkpoint, Settings settings,
                                         const std::vector<std::string>& given) {
  const StateDict stored = tessera::read_safetensors(checkpoint);
  StateDict weights;
  for (const auto& [name, tensor] : stored) {
    if (name.starts_with(weights_prefix)) weights[name.substr(weights_prefix.size())] = tensor;
  }
  for_each_setting(settings, [&](const std::string& name, auto& value) {
    if (std::find(given.begin(), given.end(), name) != given.end()) return;
    const double number = entry(stored, setting_prefix + name, checkpoint).item<double>();
    value = static_cast<std::remove_reference_t<decltype(value)>>(number);
  });
  auto trainer = std::make_unique<Trainer>(weights, settings);
  const auto restore = [&](const Tensor& target, const char* name) {
    target.copy_(entry(stored, name, checkpoint));
  };
  restore(trainer->average_, "average");
  restore(trainer->optimizer_.first_moment(), "first_moment");
  restore(trainer->optimizer_.second_moment(), "second_moment");
  trainer->generator_.set_state(entry(stored, "generator", checkpoint));
  trainer->steps_ = entry(stored, "steps", checkpoint).to(at::kLong).item<std::int64_t>();
  trainer->optimizer_.set_steps(trainer->steps_);
  return trainer;
}
