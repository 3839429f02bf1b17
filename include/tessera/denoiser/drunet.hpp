// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tessera/core/state_dict.hpp"
#include "tessera/denoiser/layerwise_network.hpp"
#include "tessera/denoiser/network_options.hpp"

namespace tessera {

namespace detail {
class ConvolutionalNetwork;
}

/// The sizes of a DRUNet, as its weights tell them.
struct DRUNetArchitecture {
  std::int64_t channels = 0;    ///< of the image; the network's input has one more, the noise level
  std::int64_t dimensions = 2;  ///< spatial dimensions: 2 or 3
  std::int64_t blocks = 0;      ///< residual blocks per stage
  std::vector<std::int64_t> widths;  ///< channels per scale, finest first
};

/// DRUNet: a U-Net of residual blocks x + conv(relu(conv(x))) without biases, whose input is the
/// image and a map of the noise level (Zhang, Li, Zuo, Zhang, Van Gool, Timofte, "Plug-and-Play
/// image restoration with deep denoiser prior", TPAMI 44, 2022). Each scale halves the extent by a
/// 2x2 convolution of stride 2; the way back doubles it by a transposed one and adds the encoder's
/// features. One network serves all noise levels, and D(c x, c sigma) = c D(x, sigma) for c > 0.
///
/// Images of any size: with m = 2^(scales - 1), an image whose extents are all multiples of m and
/// above 31 goes through as it is. Otherwise it is extended at its far ends by repeating the
/// border, and the result cropped: to multiples of 2m if any extent is below 64, else to multiples
/// of m.
///
/// Differentiable in x, in a noise level given as tensor, and in weights that require gradients.
/// Safe to use from several threads.
class DRUNet : public LayerwiseNetwork {
 public:
  /// `weights` has the keys m_head.weight, m_down1.0.res.0.weight, ..., m_body..., m_up3.0.weight,
  /// ..., m_tail.weight; number of scales, blocks, widths and channels follow from them. Tensors
  /// are shared, not copied, and converted at first use to the dtype and device of the images.
  /// Throws error::ShapeMismatch naming what is missing, unexpected or of the wrong shape.
  explicit DRUNet(const StateDict& weights, NetworkOptions options = {});
  ~DRUNet() override;

  const DRUNetArchitecture& architecture() const { return architecture_; }
  std::int64_t parameter_count() const;
  /// What the engine for float32 inference on processors has chosen for these weights: instruction
  /// set, tile sizes, the measured difference between them. Empty where there is no engine.
  /// Prepares the weights if that was not done.
  std::string engine_summary() const;

  std::string name() const override { return "drunet"; }
  /// The exact largest distance, over output positions on the coarsest grid.
  std::optional<std::int64_t> reach() const override;
  /// The pixel size of the coarsest scale, m.
  std::int64_t alignment() const override;
  std::vector<std::int64_t> extended_extents(at::IntArrayRef spatial) const override;
  bool is_trainable() const override;
  std::optional<double> memory_estimate(at::IntArrayRef shape) const override;
  Tensor denoise_box(const Tensor& x, const NoiseLevel& sigma,
                     const BoxPyramid& boxes) const override;

 private:
  void do_check(const Tensor& x, const std::string& who) const override;
  Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override;
  /// Of a whole image, or with `boxes` of this rank's box.
  Tensor run(const Tensor& x, const NoiseLevel& sigma, const BoxPyramid* boxes) const;

  DRUNetArchitecture architecture_;
  std::shared_ptr<const detail::ConvolutionalNetwork> network_;
};

}  // namespace tessera
