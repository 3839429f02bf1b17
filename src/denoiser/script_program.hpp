// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tessera/denoiser/script_denoiser.hpp"

namespace tessera {

class ScriptDenoiser::Program {
 public:
  virtual ~Program() = default;

  /// How many tensors it takes; nullopt if its file does not say.
  virtual std::optional<std::size_t> inputs() const = 0;
  virtual Tensor run(const std::vector<Tensor>& inputs) const = 0;
};

namespace detail {

/// What a user is told whose LibTorch cannot be loaded as a whole; `cause` is the dynamic linker's
/// message.
std::string missing_library(const std::string& cause);

/// TorchScript, and packages made by AOTInductor. Both throw for a file that is none, and
/// load_package() where libraries are missing.
std::unique_ptr<const ScriptDenoiser::Program> load_script(const std::string& path,
                                                           at::Device device);
std::unique_ptr<const ScriptDenoiser::Program> load_package(const std::string& path,
                                                            at::Device device);

}  // namespace detail

}  // namespace tessera
