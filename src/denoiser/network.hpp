#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tessera/core/tensor.hpp"
#include "tessera/denoiser/network_options.hpp"

namespace tessera::detail {

/// What the convolutional networks share: parameters in the order in which they are used, copies of
/// them per dtype, device and memory format, and the conversion of an image to and from what a
/// network computes in.
class Network {
 public:
  using Parameters = std::shared_ptr<const std::vector<Tensor>>;

  Network(std::vector<Tensor> parameters, NetworkOptions options);

  const NetworkOptions& options() const { return options_; }
  std::int64_t parameter_count() const;

  /// The image in the dtype and memory format to compute in.
  Tensor enter(const Tensor& x) const;
  /// The parameters to apply to an image that was entered. Copies are kept, unless they require
  /// gradients: then a conversion is part of the graph, made anew at each call.
  Parameters parameters(const Tensor& entered) const;
  /// A result as an image like x: contiguous, of its dtype.
  static Tensor leave(const Tensor& result, const Tensor& x);

 private:
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
};

/// Throws error::ShapeMismatch unless x has this many channels and spatial dimensions.
void check_channels(const Tensor& x, std::int64_t channels, std::int64_t dimensions,
                    const std::string& who);

/// Convolution with zero padding, stride 1 and the kernel's own size (odd): the image's extent is
/// kept. `bias` may be undefined.
Tensor convolve(const Tensor& x, const Tensor& kernel, const Tensor& bias = {});

/// Kernels of size 2 with stride 2: halves the extent, or doubles it.
Tensor convolve_down(const Tensor& x, const Tensor& kernel);
Tensor convolve_up(const Tensor& x, const Tensor& kernel);

}  // namespace tessera::detail
