// SPDX-License-Identifier: BSD-3-Clause
#include "network.hpp"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/cudnn_convolution_relu.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "engine/network.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

/// Channels-last is what the vendors' kernels like in single and half precision; double precision
/// has no such kernels.
at::MemoryFormat preferred_format(const Tensor& x, at::ScalarType type) {
  const bool worthwhile =
      x.device().is_cpu() ? type != at::kDouble : type == at::kHalf || type == at::kBFloat16;
  if (!worthwhile || x.dim() < 4) return at::MemoryFormat::Contiguous;
  return x.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::ChannelsLast3d;
}

/// Kernels have as many dimensions as images; biases have one and need no format.
Tensor converted(const Tensor& parameter, at::ScalarType type, at::Device device,
                 at::MemoryFormat format) {
  const Tensor moved = parameter.to(device, type);
  return parameter.dim() < 4 ? moved : moved.contiguous(format);
}

Tensor convolution(const Tensor& x, const Tensor& kernel, const Tensor& bias, std::int64_t stride,
                   std::int64_t padding, bool transposed) {
  const std::size_t dimensions = static_cast<std::size_t>(x.dim()) - 2;
  const std::vector<std::int64_t> strides(dimensions, stride);
  const std::vector<std::int64_t> paddings(dimensions, padding);
  const std::vector<std::int64_t> ones(dimensions, 1);
  const std::vector<std::int64_t> zeros(dimensions, 0);
  const std::optional<Tensor> optional_bias = bias.defined() ? std::optional(bias) : std::nullopt;
  return at::convolution(x, kernel, optional_bias, strides, paddings, ones, transposed, zeros, 1);
}

std::int64_t width_of(Padding padding, const Tensor& kernel) {
  return padding == Padding::valid ? 0 : kernel.size(-1) / 2;
}

}  // namespace

ConvolutionalNetwork::ConvolutionalNetwork(std::vector<Tensor> parameters, NetworkOptions options,
                                           Compile compile)
    : parameters_(std::move(parameters)),
      options_(options),
      trainable_(std::any_of(parameters_.begin(), parameters_.end(),
                             [](const Tensor& parameter) { return parameter.requires_grad(); })),
      compile_(options.engine == Engine::automatic ? std::move(compile) : Compile()) {
  if (options_.compute_type && !at::isFloatingType(*options_.compute_type)) {
    throw error::InvalidArgument(
        fmt::format("NetworkOptions: compute_type is {}, expected a floating type",
                    c10::toString(*options_.compute_type)));
  }
  check_not_negative(options_.tile_tolerance, "NetworkOptions", "tile_tolerance");
  // Tensors made in inference mode can never take part in a graph; these may have to.
  const c10::InferenceMode normal(false);
  for (Tensor& parameter : parameters_) {
    if (parameter.is_inference()) parameter = parameter.clone();
  }
}

ConvolutionalNetwork::~ConvolutionalNetwork() = default;

std::int64_t ConvolutionalNetwork::parameter_count() const {
  return std::accumulate(
      parameters_.begin(), parameters_.end(), std::int64_t{0},
      [](std::int64_t sum, const Tensor& parameter) { return sum + parameter.numel(); });
}

bool ConvolutionalNetwork::is_trainable() const {
  return trainable_ &&
         std::any_of(parameters_.begin(), parameters_.end(),
                     [](const Tensor& parameter) { return parameter.requires_grad(); });
}

bool ConvolutionalNetwork::needs_gradients(const Tensor& input) const {
  return at::GradMode::is_enabled() && (trainable_ || input.requires_grad());
}

at::ScalarType ConvolutionalNetwork::compute_type(const Tensor& x) const {
  if (options_.compute_type) return *options_.compute_type;
  if (!x.is_cuda() || x.scalar_type() != at::kFloat || needs_gradients(x)) return x.scalar_type();
  switch (options_.gpu_precision) {
    case GpuPrecision::half:
      return at::kHalf;
    case GpuPrecision::bfloat16:
      return at::kBFloat16;
    default:
      return at::kFloat;
  }
}

Tensor ConvolutionalNetwork::enter(const Tensor& x) const {
  const at::ScalarType type = compute_type(x);
  return x.to(type).contiguous(preferred_format(x, type));
}

ConvolutionalNetwork::Parameters ConvolutionalNetwork::parameters(const Tensor& entered) const {
  const at::ScalarType type = entered.scalar_type();
  const at::MemoryFormat format = preferred_format(entered, type);
  const auto convert_all = [&] {
    auto copies = std::make_shared<std::vector<Tensor>>();
    for (const Tensor& parameter : parameters_) {
      copies->push_back(converted(parameter, type, entered.device(), format));
    }
    return copies;
  };
  if (trainable_) return convert_all();

  const std::lock_guard<std::mutex> lock(mutex_);
  for (const Copies& copies : copies_) {
    if (copies.type == type && copies.device == entered.device() && copies.format == format) {
      return copies.parameters;
    }
  }
  const c10::InferenceMode normal(false);
  copies_.push_back({type, entered.device(), format, convert_all()});
  return copies_.back().parameters;
}

std::shared_ptr<const engine::Network> ConvolutionalNetwork::engine_for(const Tensor& input) const {
  const at::ScalarType type = compute_type(input);
  if (!compile_ || needs_gradients(input) || type != at::kFloat || !input.device().is_cpu())
    return nullptr;

  return current_engine();
}

std::shared_ptr<const engine::Network> ConvolutionalNetwork::current_engine() const {
  // Counts every change in place.
  std::uint64_t version = 0;
  for (const Tensor& parameter : parameters_) version += parameter._version();
  const std::lock_guard<std::mutex> lock(mutex_);
  if (engine_ == nullptr || engine_version_ != version) {
    engine_ = compile_(parameters_);
    engine_version_ = version;
  }
  return engine_;
}

std::string ConvolutionalNetwork::engine_summary() const {
  const auto engine = compile_ ? current_engine() : nullptr;
  return engine == nullptr ? "" : engine->summary();
}

std::optional<std::int64_t> ConvolutionalNetwork::engine_elements(at::IntArrayRef extents) const {
  if (!compile_) return std::nullopt;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (engine_plan_ == nullptr) {
    std::vector<Tensor> shapes;
    for (const Tensor& parameter : parameters_) shapes.push_back(parameter.detach().to(at::kMeta));
    engine_plan_ = compile_(shapes);
  }
  if (engine_plan_ == nullptr) return std::nullopt;
  return engine_plan_->working_floats(extents);
}

ConvolutionalNetwork::DeviceMode::DeviceMode(const ConvolutionalNetwork& network, const Tensor& x)
    : active_(x.is_cuda() && !network.needs_gradients(x)) {
  if (!active_) return;
  at::Context& context = at::globalContext();
  benchmark_ = context.benchmarkCuDNN();
  tf32_ = context.allowTF32CuDNN();
  context.setBenchmarkCuDNN(true);
  context.setAllowTF32CuDNN(network.options_.gpu_precision == GpuPrecision::tf32);
}

ConvolutionalNetwork::DeviceMode::~DeviceMode() {
  if (!active_) return;
  at::globalContext().setBenchmarkCuDNN(benchmark_);
  at::globalContext().setAllowTF32CuDNN(tf32_);
}

Tensor ConvolutionalNetwork::leave(const Tensor& result, const Tensor& x) {
  return result.to(x.scalar_type()).contiguous();
}

void check_channels(const Tensor& x, std::int64_t channels, std::int64_t dimensions,
                    const std::string& who) {
  if (x.size(1) == channels && spatial_dimensions(x) == dimensions) return;
  throw error::ShapeMismatch(
      fmt::format("{}: x is {}, expected {} channels and {} spatial dimensions", who, describe(x),
                  channels, dimensions));
}

Tensor convolve(const Tensor& x, const Tensor& kernel, const Tensor& bias, Padding padding) {
  return convolution(x, kernel, bias, 1, width_of(padding, kernel), false);
}

Tensor convolve_relu(const Tensor& x, const Tensor& kernel, const Tensor& bias, Padding padding) {
  const bool gradients =
      at::GradMode::is_enabled() &&
      (x.requires_grad() || kernel.requires_grad() || (bias.defined() && bias.requires_grad()));
  const bool fused = x.is_cuda() && x.dim() == 4 && !gradients && x.scalar_type() != at::kDouble &&
                     at::globalContext().userEnabledCuDNN() && at::Context::hasCuDNN();
  if (!fused) return convolve(x, kernel, bias, padding).relu_();
  const std::int64_t width = width_of(padding, kernel);
  const std::optional<Tensor> optional_bias = bias.defined() ? std::optional(bias) : std::nullopt;
  return at::cudnn_convolution_relu(x, kernel, optional_bias, {1, 1}, {width, width}, {1, 1}, 1);
}

Tensor convolve_down(const Tensor& x, const Tensor& kernel) {
  return convolution(x, kernel, {}, 2, 0, false);
}

Tensor convolve_up(const Tensor& x, const Tensor& kernel) {
  return convolution(x, kernel, {}, 2, 0, true);
}

}  // namespace tessera::detail
