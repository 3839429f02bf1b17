// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

#include <functional>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "tessera/core/image_spec.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera {

/// What is computed once and kept for each kind of image: spectra, as a rule. Safe to use from
/// several threads; a copy holds the same values. `Value` is a tensor, or holds some, or a fact.
template <typename Value = Tensor>
class SpectrumCache {
 public:
  SpectrumCache() = default;
  SpectrumCache(const SpectrumCache& other) {
    const std::lock_guard lock(other.mutex_);
    kept_ = other.kept_;
  }
  SpectrumCache& operator=(const SpectrumCache& other) {
    if (this == &other) return *this;
    const std::scoped_lock lock(mutex_, other.mutex_);
    kept_ = other.kept_;
    return *this;
  }

  /// What is kept for `spec`; computed first if there is nothing. `compute` runs without gradients
  /// and outside inference mode, so that later callers may differentiate through a product with the
  /// result; that may be an undefined tensor, which is kept too. Other threads wait for it.
  Value get(const ImageSpec& spec, const std::function<Value()>& compute) {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(spec);
    if (found != kept_.end()) return found->second;
    const c10::InferenceMode ordinary(false);
    const at::NoGradGuard no_gradients;
    return kept_.emplace(spec, compute()).first->second;
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<ImageSpec, Value> kept_;
};

/// A tensor that operators need in the images' dtype and on their device: converted once for each
/// kind, and kept. One that requires gradients is converted each time, so that they go back to it.
/// One of inference mode is copied, so that later callers may differentiate through products.
class ConvertedTensor {
 public:
  ConvertedTensor() = default;
  explicit ConvertedTensor(Tensor original) : original_(std::move(original)) {
    if (!original_.defined() || !original_.is_inference()) return;
    const c10::InferenceMode ordinary(false);
    original_ = original_.clone();
  }

  const Tensor& original() const { return original_; }
  Tensor as(at::Device device, at::ScalarType type) const {
    const bool is_kept = !original_.requires_grad() &&
                         (original_.scalar_type() != type || original_.device() != device);
    if (!is_kept) return original_.to(device, type);
    return kept_.get({original_.sizes().vec(), type, device},
                     [&] { return original_.to(device, type); });
  }
  /// With the dtype and on the device of x.
  Tensor like(const Tensor& x) const { return as(x.device(), x.scalar_type()); }

 private:
  Tensor original_;
  mutable SpectrumCache<> kept_;
};

}  // namespace tessera
