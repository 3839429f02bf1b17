// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/denoiser/dncnn.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/network.hpp"
#include "key_layout.hpp"
#include "network.hpp"
#include "tessera/comm/box_pyramid.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

// What the layout leaves open.
constexpr std::int64_t width = 0;
constexpr std::int64_t in_channels = 1;
constexpr std::int64_t out_channels = 2;

DnCNNArchitecture read_architecture(const StateDict& weights) {
  DnCNNArchitecture architecture;
  std::int64_t inner = 0;
  std::size_t biases = 0;
  int volumes = 0;
  int images = 0;
  for (const auto& [key, tensor] : weights) {
    if (key.ends_with(".bias")) ++biases;
    if (tensor.defined() && tensor.dim() == 4) ++images;
    if (tensor.defined() && tensor.dim() == 5) ++volumes;
    if (const auto index = detail::match(key, "conv_list.#.weight"))
      inner = std::max(inner, index->front() + 1);
  }
  architecture.has_bias = 4 * biases > weights.size();  // otherwise each is unexpected
  architecture.depth = inner + 2;
  architecture.dimensions = volumes > images ? 3 : 2;
  return architecture;
}

std::vector<detail::ExpectedParameter> layout_of(const DnCNNArchitecture& architecture) {
  using detail::unknown;
  std::vector<detail::ExpectedParameter> layout;
  const auto add = [&](const std::string& layer, std::int64_t out, std::int64_t in) {
    std::vector<std::int64_t> shape{unknown(out), unknown(in)};
    shape.insert(shape.end(), static_cast<std::size_t>(architecture.dimensions), 3);
    layout.push_back({layer + ".weight", std::move(shape)});
    if (architecture.has_bias) layout.push_back({layer + ".bias", {unknown(out)}});
  };
  add("in_conv", width, in_channels);
  for (std::int64_t i = 0; i < architecture.depth - 2; ++i)
    add(fmt::format("conv_list.{}", i), width, width);
  add("out_conv", out_channels, width);
  return layout;
}

}  // namespace

DnCNN::DnCNN(const StateDict& weights, NetworkOptions options)
    : architecture_(read_architecture(weights)) {
  detail::FittedLayout fitted = detail::fit(weights, layout_of(architecture_), 3, "DnCNN");
  if (fitted.unknowns[in_channels] != fitted.unknowns[out_channels]) {
    throw error::ShapeMismatch(
        fmt::format("DnCNN: in_conv.weight takes {} channels and out_conv.weight gives {}, "
                    "expected as many out as in",
                    fitted.unknowns[in_channels], fitted.unknowns[out_channels]));
  }
  architecture_.width = fitted.unknowns[width];
  architecture_.channels = fitted.unknowns[in_channels];
  const auto compile = [has_bias = architecture_.has_bias,
                        options](const std::vector<Tensor>& parameters) {
    return engine::compile_dncnn(parameters, has_bias, {options.tile_tolerance});
  };
  network_ = std::make_shared<const detail::ConvolutionalNetwork>(std::move(fitted.parameters),
                                                                  options, compile);
}

DnCNN::~DnCNN() = default;

std::int64_t DnCNN::parameter_count() const {
  return network_->parameter_count();
}

std::string DnCNN::engine_summary() const {
  return network_->engine_summary();
}

// The engine works on one image at a time, beside the batch's results. With LibTorch's operations
// two feature images are alive at a time.
std::optional<double> DnCNN::memory_estimate(at::IntArrayRef shape) const {
  if (static_cast<std::int64_t>(shape.size()) != architecture_.dimensions + 2) return std::nullopt;
  double pixels = static_cast<double>(shape[0]);
  for (const std::int64_t extent : shape.slice(2)) pixels *= static_cast<double>(extent);
  if (const auto working = network_->engine_elements(shape.slice(2)))
    return static_cast<double>(*working) + pixels * static_cast<double>(architecture_.channels);
  return pixels * 2 * static_cast<double>(architecture_.width);
}

bool DnCNN::is_trainable() const {
  return network_->is_trainable();
}

void DnCNN::do_check(const Tensor& x, const std::string& who) const {
  detail::check_channels(x, architecture_.channels, architecture_.dimensions, who);
}

Tensor DnCNN::do_denoise(const Tensor& x, const NoiseLevel& /*sigma*/) const {
  return run(x, nullptr);
}

Tensor DnCNN::denoise_box(const Tensor& x, const NoiseLevel& /*sigma*/,
                          const BoxPyramid& boxes) const {
  do_check(x, "dncnn.denoise_box");
  return run(x, &boxes);
}

Tensor DnCNN::run(const Tensor& x, const BoxPyramid* boxes) const {
  if (const auto engine = network_->engine_for(x)) {
    const Tensor input = x.to(at::kFloat).contiguous();
    const Tensor residual = boxes == nullptr ? engine->run(input) : engine->run_box(input, *boxes);
    return detail::ConvolutionalNetwork::leave(residual.add_(input), x);
  }
  const detail::ConvolutionalNetwork::DeviceMode mode(*network_, x);
  const Tensor input = network_->enter(x);
  const detail::ConvolutionalNetwork::Parameters parameters = network_->parameters(input);
  auto next = parameters->begin();
  const auto apply = [&](const auto& convolution, const Tensor& features) {
    const Tensor& kernel = *next++;
    const Tensor bias = architecture_.has_bias ? *next++ : Tensor();
    if (boxes == nullptr) return convolution(features, kernel, bias, Padding::constant);
    return convolution(boxes->with_halo(features, 1, 1), kernel, bias, Padding::valid);
  };
  Tensor features = input;
  for (std::int64_t i = 0; i < architecture_.depth - 1; ++i) {
    features = apply(detail::convolve_relu, features);
  }
  return detail::ConvolutionalNetwork::leave(apply(detail::convolve, features).add_(input), x);
}

}  // namespace tessera
