// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tessera/core/state_dict.hpp"
#include "tessera/denoiser/layerwise_network.hpp"
#include "tessera/denoiser/network_options.hpp"

namespace tessera {

namespace detail {
class ConvolutionalNetwork;
}

/// The sizes of a DnCNN, as its weights tell them.
struct DnCNNArchitecture {
  std::int64_t channels = 0;    ///< of the image
  std::int64_t dimensions = 2;  ///< spatial dimensions: 2 or 3
  std::int64_t depth = 0;       ///< convolutions
  std::int64_t width = 0;       ///< channels between them
  bool has_bias = true;
};

/// DnCNN without batch normalisation: x + conv(relu(conv(... relu(conv(x))))), 3-wide kernels, zero
/// padding (Zhang, Zuo, Chen, Meng, Zhang, "Beyond a Gaussian denoiser", TIP 26, 2017). Its weights
/// are trained for one noise level: `sigma` is checked and otherwise ignored.
///
/// Differentiable in x and in weights that require gradients. Safe to use from several threads.
class DnCNN : public LayerwiseNetwork {
 public:
  /// `weights` has the keys in_conv.weight, conv_list.0.weight, ..., out_conv.weight, and a .bias
  /// beside each or beside none; the architecture follows from them. Tensors are shared, not
  /// copied. Throws error::ShapeMismatch naming what is missing, unexpected or of the wrong shape.
  explicit DnCNN(const StateDict& weights, NetworkOptions options = {});
  ~DnCNN() override;

  const DnCNNArchitecture& architecture() const { return architecture_; }
  std::int64_t parameter_count() const;
  /// What the engine for float32 inference on processors has chosen for these weights: instruction
  /// set, tile sizes, the measured difference between them. Empty where there is no engine.
  /// Prepares the weights if that was not done.
  std::string engine_summary() const;

  std::string name() const override { return "dncnn"; }
  /// The depth: each convolution looks one pixel further.
  std::optional<std::int64_t> reach() const override { return architecture_.depth; }
  std::optional<double> memory_estimate(at::IntArrayRef shape) const override;
  Tensor denoise_box(const Tensor& x, const NoiseLevel& sigma,
                     const BoxPyramid& boxes) const override;
  bool follows_level() const override { return false; }
  bool is_trainable() const override;

 private:
  void do_check(const Tensor& x, const std::string& who) const override;
  Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override;
  /// Of a whole image, or with `boxes` of this rank's box.
  Tensor run(const Tensor& x, const BoxPyramid* boxes) const;

  DnCNNArchitecture architecture_;
  std::shared_ptr<const detail::ConvolutionalNetwork> network_;
};

}  // namespace tessera
