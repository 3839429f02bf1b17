// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tessera/core/tensor.hpp"
#include "tessera/denoiser/network_options.hpp"
#include "tessera/physics/padding.hpp"

namespace tessera::engine {
class Network;
}

namespace tessera::detail {

/// What the convolutional networks share: parameters in the order in which they are used, copies of
/// them per dtype, device and memory format, and the conversion of an image to and from what a
/// network computes in.
class ConvolutionalNetwork {
 public:
  using Parameters = std::shared_ptr<const std::vector<Tensor>>;

  /// Makes the network of these parameters for the convolution engine, or null where there is none.
  using Compile =
      std::function<std::unique_ptr<const engine::Network>(const std::vector<Tensor>& parameters)>;

  ConvolutionalNetwork(std::vector<Tensor> parameters, NetworkOptions options,
                       Compile compile = {});
  ~ConvolutionalNetwork();

  const NetworkOptions& options() const { return options_; }
  std::int64_t parameter_count() const;
  /// True if a parameter requires gradients, and did when the network was made.
  bool is_trainable() const;

  /// The dtype to compute this image in.
  at::ScalarType compute_type(const Tensor& x) const;
  /// The image in the dtype and memory format to compute in.
  Tensor enter(const Tensor& x) const;
  /// The parameters to apply to an image that was entered. Copies are kept, unless they require
  /// gradients: then a conversion is part of the graph, made anew at each call.
  Parameters parameters(const Tensor& entered) const;

  /// The engine's network where it computes this input: float32 on the host, no gradients,
  /// Engine::automatic; else null. Made at first use, and again after
  /// parameters were changed in place.
  std::shared_ptr<const engine::Network> engine_for(const Tensor& input) const;
  /// What the engine's network says of itself, made now if it was not; empty where there is none.
  std::string engine_summary() const;
  /// Working memory of the engine for an image or volume of these extents, in elements; nullopt
  /// where it is not used.
  std::optional<std::int64_t> engine_elements(at::IntArrayRef extents) const;

  /// Sets LibTorch's process-wide switches of cuDNN as a GPU's image wants them, until the end of
  /// the scope: the quickest algorithm is searched once per shape, products are rounded to TF32
  /// only if asked for. Does nothing for images elsewhere.
  class DeviceMode {
   public:
    DeviceMode(const ConvolutionalNetwork& network, const Tensor& x);
    ~DeviceMode();
    DeviceMode(const DeviceMode&) = delete;
    DeviceMode& operator=(const DeviceMode&) = delete;

   private:
    bool active_;
    bool benchmark_ = false;
    bool tf32_ = false;
  };

  /// A result as an image like x: contiguous, of its dtype.
  static Tensor leave(const Tensor& result, const Tensor& x);

 private:
  bool needs_gradients(const Tensor& input) const;
  std::shared_ptr<const engine::Network> current_engine() const;

  struct Copies {
    at::ScalarType type;
    at::Device device;
    at::MemoryFormat format;
    Parameters parameters;
  };

  std::vector<Tensor> parameters_;
  NetworkOptions options_;
  bool trainable_;
  mutable std::mutex mutex_;
  mutable std::vector<Copies> copies_;
  Compile compile_;
  mutable std::shared_ptr<const engine::Network> engine_;
  mutable std::uint64_t engine_version_ = 0;
  mutable std::shared_ptr<const engine::Network> engine_plan_;  // without weights
};

/// Throws error::ShapeMismatch unless x has this many channels and spatial dimensions.
void check_channels(const Tensor& x, std::int64_t channels, std::int64_t dimensions,
                    const std::string& who);

/// Convolution with stride 1 and the kernel's own size (odd). The image continues with zeros and
/// its extent is kept, or, with Padding::valid, with nothing. `bias` may be undefined.
Tensor convolve(const Tensor& x, const Tensor& kernel, const Tensor& bias = {},
                Padding padding = Padding::constant);

/// The same, then relu: one operation of cuDNN where no gradients are needed on a GPU.
Tensor convolve_relu(const Tensor& x, const Tensor& kernel, const Tensor& bias = {},
                     Padding padding = Padding::constant);

/// Kernels of size 2 with stride 2: halves the extent, or doubles it.
Tensor convolve_down(const Tensor& x, const Tensor& kernel);
Tensor convolve_up(const Tensor& x, const Tensor& kernel);

}  // namespace tessera::detail
