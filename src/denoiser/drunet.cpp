// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/denoiser/drunet.hpp"

#include <ATen/ops/cat.h>

#include <algorithm>

#include "drunet_layout.hpp"
#include "engine/network.hpp"
#include "network.hpp"
#include "tessera/comm/box_pyramid.hpp"

namespace tessera {

namespace {

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// Applies the network, taking its parameters in order. All in-place operations act on results of a
/// convolution or of a block, which nothing else needs, in a graph or out of it; features are
/// released as soon as the next ones exist. With `boxes`, for this rank's box.
class Pass {
 public:
  Pass(const DRUNetArchitecture& architecture, const std::vector<Tensor>& parameters,
       const BoxPyramid* boxes)
      : architecture_(architecture), next_(parameters.begin()), boxes_(boxes) {}

  Tensor operator()(Tensor input) {
    Tensor x = single(input);
    input.reset();
    std::vector<Tensor> skips;
    const std::size_t coarser_scales = architecture_.widths.size() - 1;
    for (std::size_t scale = 0; scale < coarser_scales; ++scale) {
      skips.push_back(x);
      x = blocks(std::move(x));
      x = detail::convolve_down(x, *next_++);
      pixel_ *= 2;
    }
    skips.push_back(x);
    x = blocks(std::move(x));
    for (std::size_t scale = 0; scale < coarser_scales; ++scale) {
      x.add_(skips.back());
      skips.pop_back();
      x = detail::convolve_up(x, *next_++);
      pixel_ /= 2;
      x = blocks(std::move(x));
    }
    x.add_(skips.back());
    skips.pop_back();
    return single(x);
  }

 private:
  Tensor single(const Tensor& x) {
    const Tensor& kernel = *next_++;
    if (boxes_ == nullptr) return detail::convolve(x, kernel);
    return detail::convolve(boxes_->with_halo(x, pixel_, 1), kernel, {}, Padding::valid);
  }

  Tensor blocks(Tensor x) {
    for (std::int64_t block = 0; block < architecture_.blocks; ++block) {
      Tensor residual = branch(x);
      x = residual.add_(x);
    }
    return x;
  }

  /// Both convolutions of a block.
  Tensor branch(const Tensor& x) {
    const Tensor& first = *next_++;
    const Tensor& second = *next_++;
    if (boxes_ == nullptr) return detail::convolve(detail::convolve_relu(x, first), second);
    const Tensor inner =
        detail::convolve_relu(boxes_->with_halo(x, pixel_, 2), first, {}, Padding::valid);
    boxes_->clear_outside(inner, pixel_, 1);
    return detail::convolve(inner, second, {}, Padding::valid);
  }

  const DRUNetArchitecture& architecture_;
  std::vector<Tensor>::const_iterator next_;
  const BoxPyramid* boxes_;
  std::int64_t pixel_ = 1;  ///< of this scale, in pixels of the image
};

}  // namespace

DRUNet::DRUNet(const StateDict& weights, NetworkOptions options) {
  detail::DRUNetWeights read = detail::read_drunet(weights);
  architecture_ = std::move(read.architecture);
  const auto scales = static_cast<std::int64_t>(architecture_.widths.size());
  const auto compile = [scales, blocks = architecture_.blocks,
                        options](const std::vector<Tensor>& parameters) {
    return engine::compile_drunet(parameters, scales, blocks, {options.tile_tolerance});
  };
  network_ = std::make_shared<const detail::ConvolutionalNetwork>(std::move(read.parameters),
                                                                  options, compile);
}

DRUNet::~DRUNet() = default;

std::int64_t DRUNet::parameter_count() const {
  return network_->parameter_count();
}

std::string DRUNet::engine_summary() const {
  return network_->engine_summary();
}

bool DRUNet::is_trainable() const {
  return network_->is_trainable();
}

std::int64_t DRUNet::alignment() const {
  return std::int64_t{1} << (architecture_.widths.size() - 1);
}

// Follows the interval of pixels that an output pixel depends on backwards along the deepest path,
// whose interval contains those of the skips: a 3-wide convolution widens it by 1 on either side, a
// transposed convolution maps a fine pixel to floor(pixel / 2), a strided one a coarse pixel m to
// {2m, 2m + 1}.
std::optional<std::int64_t> DRUNet::reach() const {
  const auto halve = [](std::int64_t value) { return value >= 0 ? value / 2 : -((1 - value) / 2); };
  const auto coarser_scales = architecture_.widths.size() - 1;
  const std::int64_t stage = 2 * architecture_.blocks;
  std::int64_t farthest = 0;
  for (std::int64_t pixel = 0; pixel < alignment(); ++pixel) {
    std::int64_t first = pixel - 1;
    std::int64_t last = pixel + 1;
    for (std::size_t scale = 0; scale < coarser_scales; ++scale) {
      first = halve(first - stage);
      last = halve(last + stage);
    }
    first -= stage;
    last += stage;
    for (std::size_t scale = 0; scale < coarser_scales; ++scale) {
      first = 2 * first - stage;
      last = 2 * last + 1 + stage;
    }
    farthest = std::max({farthest, pixel - (first - 1), last + 1 - pixel});
  }
  return farthest;
}

std::vector<std::int64_t> DRUNet::extended_extents(at::IntArrayRef spatial) const {
  const std::int64_t grid = alignment();
  std::vector<std::int64_t> extents = spatial.vec();
  if (std::all_of(extents.begin(), extents.end(),
                  [grid](std::int64_t extent) { return extent % grid == 0 && extent > 31; })) {
    return extents;
  }
  const bool small =
      std::any_of(extents.begin(), extents.end(), [](std::int64_t extent) { return extent < 64; });
  for (std::int64_t& extent : extents) extent = round_up(extent, small ? 2 * grid : grid);
  return extents;
}

// The engine works on one image at a time, beside the batch's inputs and results. With LibTorch's
// operations three feature images are alive in a block, beside one skip per scale down to the
// current one.
std::optional<double> DRUNet::memory_estimate(at::IntArrayRef shape) const {
  if (static_cast<std::int64_t>(shape.size()) != architecture_.dimensions + 2) return std::nullopt;
  const std::vector<std::int64_t> extents = extended_extents(shape.slice(2));
  double pixels = static_cast<double>(shape[0]);
  for (const std::int64_t extent : extents) pixels *= static_cast<double>(extent);
  if (const auto working = network_->engine_elements(extents)) {
    return static_cast<double>(*working) +
           pixels * static_cast<double>(2 * architecture_.channels + 1);
  }
  double peak = 0;
  double skips = 0;
  double share = 1;  // of this scale in the pixels
  for (const std::int64_t width : architecture_.widths) {
    skips += share * static_cast<double>(width);
    peak = std::max(peak, skips + 3 * share * static_cast<double>(width));
    share /= architecture_.dimensions == 2 ? 4 : 8;
  }
  return pixels * peak;
}

void DRUNet::do_check(const Tensor& x, const std::string& who) const {
  detail::check_channels(x, architecture_.channels, architecture_.dimensions, who);
}

Tensor DRUNet::do_denoise(const Tensor& x, const NoiseLevel& sigma) const {
  return run(x, sigma, nullptr);
}

Tensor DRUNet::denoise_box(const Tensor& x, const NoiseLevel& sigma,
                           const BoxPyramid& boxes) const {
  do_check(x, "drunet.denoise_box");
  return run(x, sigma, &boxes);
}

Tensor DRUNet::run(const Tensor& x, const NoiseLevel& sigma, const BoxPyramid* boxes) const {
  Tensor input = at::cat({x, sigma.as_map(x)}, 1);
  if (const auto engine = network_->engine_for(input)) {
    input = input.to(at::kFloat).contiguous();
    return detail::ConvolutionalNetwork::leave(
        boxes == nullptr ? engine->run(input) : engine->run_box(input, *boxes), x);
  }
  const detail::ConvolutionalNetwork::DeviceMode mode(*network_, input);
  input = network_->enter(input);
  const detail::ConvolutionalNetwork::Parameters parameters = network_->parameters(input);
  return detail::ConvolutionalNetwork::leave(
      Pass(architecture_, *parameters, boxes)(std::move(input)), x);
}

}  // namespace tessera
