// SPDX-License-Identifier: BSD-3-Clause
#include "script_program.hpp"

// LibTorch's headers for programs: the heaviest of this library, so they are here alone.
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <dlfcn.h>
#include <link.h>

#include <array>
#include <fstream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

class Script : public ScriptDenoiser::Program {
 public:
  Script(const std::string& path, at::Device device) : module_(torch::jit::load(path, device)) {
    module_.eval();
    for (const at::Tensor& parameter : module_.parameters()) parameter.set_requires_grad(false);
  }

  std::optional<std::size_t> inputs() const override {
    return module_.get_method("forward").function().getSchema().arguments().size() - 1;  // self
  }

  Tensor run(const std::vector<Tensor>& inputs) const override {
    // A copy shares the weights; running is not const, yet safe to do at the same time.
    torch::jit::Module module = module_;
    const c10::IValue result =
        module.forward(std::vector<c10::IValue>(inputs.begin(), inputs.end()));
    if (!result.isTensor()) {
      throw error::InvalidArgument("its result is a " + result.tagKind() + ", expected one tensor");
    }
    return result.toTensor();
  }

 private:
  torch::jit::Module module_;
};

/// A package is a zip archive.
void check_archive(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 4> magic{};
  if (!file) throw std::runtime_error("cannot open");
  if (!file.read(magic.data(), magic.size()) || std::string_view(magic.data(), 2) != "PK")
    throw std::runtime_error("it is no package, which is a zip archive");
}

/// Packages need libtorch.so, which stands for all of LibTorch, beside libtorch_cpu.so; a program
/// that links only the latter has to open the former, from the same folder.
void open_libtorch() {
  if (::dlopen("libtorch.so", RTLD_NOW | RTLD_GLOBAL) != nullptr) return;
  std::string path = "libtorch.so";
  link_map* library = nullptr;
  void* handle = ::dlopen("libtorch_cpu.so", RTLD_NOW | RTLD_NOLOAD);
  if (handle != nullptr && ::dlinfo(handle, RTLD_DI_LINKMAP, &library) == 0) {
    const std::string loaded = library->l_name;
    path = loaded.substr(0, loaded.rfind('/') + 1) + path;
  }
  if (::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* cause = ::dlerror();
    throw std::runtime_error(missing_library(cause != nullptr ? cause : path));
  }
}

class Package : public ScriptDenoiser::Program {
 public:
  Package(const std::string& path, at::Device device) {
    check_archive(path);
    open_libtorch();
    loader_.emplace(path, "model", false, 1, device.is_cpu() ? -1 : device.index());
  }

  std::optional<std::size_t> inputs() const override { return std::nullopt; }

  Tensor run(const std::vector<Tensor>& inputs) const override {
    for (const Tensor& input : inputs) {
      if (at::GradMode::is_enabled() && input.requires_grad()) {
        throw error::InvalidArgument("a compiled package has no derivatives");
      }
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Tensor> results = loader_->run(inputs);
    if (results.size() != 1) {
      throw error::InvalidArgument("it gives " + std::to_string(results.size()) +
                                   " tensors, expected one");
    }
    return results.front();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::optional<torch::inductor::AOTIModelPackageLoader> loader_;
};

}  // namespace

std::string missing_library(const std::string& cause) {
  const std::size_t end = cause.find(": cannot open shared object file");
  const std::string what = end == std::string::npos
                               ? "which cannot be loaded here (" + cause + ")"
                               : "of which " + cause.substr(0, end) + " is missing here";
  return "packages need all of LibTorch's libraries, " + what +
         ". A LibTorch for GPUs needs NVIDIA's libraries for this even on the CPU: install the "
         "Python package torch with what it depends on, or a LibTorch for the CPU, or save the "
         "network as TorchScript (.pt), which needs neither";
}

std::unique_ptr<const ScriptDenoiser::Program> load_script(const std::string& path,
                                                           at::Device device) {
  return std::make_unique<const Script>(path, device);
}

std::unique_ptr<const ScriptDenoiser::Program> load_package(const std::string& path,
                                                            at::Device device) {
  return std::make_unique<const Package>(path, device);
}

}  // namespace tessera::detail
