// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/denoiser/script_denoiser.hpp"

#include <ATen/ops/cat.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <numeric>
#include <vector>

#include "script_program.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

/// What LibTorch's exceptions say, without the stack of calls.
std::string cause(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  constexpr std::size_t longest = 500;
  if (text.size() > longest) text.resize(longest);
  return text;
}

std::unique_ptr<const ScriptDenoiser::Program> load(const std::string& path, at::Device device) {
  const c10::InferenceMode normal(false);  // weights made in it could never take part in a graph
  try {
    return path.ends_with(".pt2") ? detail::load_package(path, device)
                                  : detail::load_script(path, device);
  } catch (const std::exception& error) {
    throw error::Io(fmt::format("{}: cannot be loaded as a network ({}): {}", path,
                                path.ends_with(".pt2") ? "AOTInductor package" : "TorchScript",
                                cause(error)));
  }
}

}  // namespace

ScriptDenoiser::ScriptDenoiser(const std::string& path, ScriptOptions options)
    : path_(path), options_(options) {
  if (options.alignment < 1 || options.minimum_extent < 1 || options.reach.value_or(0) < 0 ||
      !at::isFloatingType(options.compute_type)) {
    throw error::InvalidArgument(fmt::format(
        "ScriptDenoiser: alignment {}, minimum_extent {}, reach {}, compute_type {}, expected "
        "positive numbers, a reach of at least 0 and a floating type",
        options.alignment, options.minimum_extent, options.reach.value_or(0),
        c10::toString(options.compute_type)));
  }
  program_ = load(path, options.device);
  const std::optional<std::size_t> inputs = program_->inputs();
  if (options.level == LevelInput::automatic) {
    if (!inputs) {
      throw error::InvalidArgument(fmt::format(
          "{}: a package does not say whether it takes a noise level: set ScriptOptions::level",
          path));
    }
    options_.level = *inputs == 2 ? LevelInput::argument : LevelInput::none;
  }
  const std::size_t expected = options_.level == LevelInput::argument ? 2 : 1;
  if (inputs && *inputs != expected) {
    throw error::InvalidArgument(
        fmt::format("{}: forward takes {} arguments, expected {}", path, *inputs, expected));
  }
}

ScriptDenoiser::~ScriptDenoiser() = default;

void ScriptDenoiser::declare(const ProbedReach& probed) {
  if (!probed.reach || !probed.alignment) return;
  options_.reach = probed.reach;
  options_.alignment = std::lcm(options_.alignment, *probed.alignment);
}

std::vector<std::int64_t> ScriptDenoiser::extended_extents(at::IntArrayRef spatial) const {
  std::vector<std::int64_t> extents = spatial.vec();
  const std::int64_t grid = options_.alignment;
  for (std::int64_t& extent : extents) {
    extent = (std::max(extent, options_.minimum_extent) + grid - 1) / grid * grid;
  }
  return extents;
}

void ScriptDenoiser::do_check(const Tensor& x, const std::string& who) const {
  if (x.device() != options_.device) {
    throw error::ShapeMismatch(fmt::format("{}: x is {}, expected it on {}, where {} is", who,
                                           describe(x), options_.device.str(), path_));
  }
}

Tensor ScriptDenoiser::do_denoise(const Tensor& x, const NoiseLevel& sigma) const {
  const auto enter = [&](const Tensor& image) {
    return image.to(options_.compute_type).contiguous();
  };
  std::vector<Tensor> inputs;
  if (options_.level == LevelInput::channel) {
    inputs.push_back(enter(at::cat({x, sigma.as_map(x)}, 1)));
  } else {
    inputs.push_back(enter(x));
  }
  if (options_.level == LevelInput::argument) {
    const Tensor level = sigma.broadcastable(x);
    inputs.push_back(enter(level));
  }
  Tensor result;
  try {
    result = program_->run(inputs);
  } catch (const std::exception& error) {
    throw error::InvalidArgument(
        fmt::format("script.denoise: {} fails for x = {}: {}", path_, describe(x), cause(error)));
  }
  if (result.dim() != x.dim() || result.size(0) != x.size(0) || result.size(1) != x.size(1) ||
      result.sizes().slice(2) != inputs[0].sizes().slice(2)) {
    throw error::ShapeMismatch(fmt::format("script.denoise: {} makes {} of an image that is {}",
                                           path_, describe(result), describe(inputs[0])));
  }
  return result.to(x.scalar_type()).contiguous();
}

}  // namespace tessera
