#pragma once

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// Tensors that are computed once and kept, by a key that says what they depend on. Safe to use
/// from several threads; a copy holds the same tensors.
class SpectrumCache {
 public:
  SpectrumCache() = default;
  SpectrumCache(const SpectrumCache& other);
  SpectrumCache& operator=(const SpectrumCache& other);

  /// The tensor kept under `key`; computed first if there is none. `compute` runs without gradients
  /// and outside inference mode, so that later callers may differentiate through a product with the
  /// result; it may return an undefined tensor, which is kept too. Other threads wait for it.
  Tensor get(const std::string& key, const std::function<Tensor()>& compute);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Tensor> kept_;
};

inline SpectrumCache::SpectrumCache(const SpectrumCache& other) {
  const std::lock_guard lock(other.mutex_);
  kept_ = other.kept_;
}

inline SpectrumCache& SpectrumCache::operator=(const SpectrumCache& other) {
  if (this == &other) return *this;
  const std::scoped_lock lock(mutex_, other.mutex_);
  kept_ = other.kept_;
  return *this;
}

inline Tensor SpectrumCache::get(const std::string& key, const std::function<Tensor()>& compute) {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(key);
  if (found != kept_.end()) return found->second;
  const c10::InferenceMode ordinary(false);
  const at::NoGradGuard no_gradients;
  return kept_.emplace(key, compute()).first->second;
}

}  // namespace tessera
