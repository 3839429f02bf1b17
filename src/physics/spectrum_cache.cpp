#include "tessera/physics/spectrum_cache.hpp"

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

namespace tessera {

SpectrumCache::SpectrumCache(const SpectrumCache& other) {
  const std::lock_guard lock(other.mutex_);
  kept_ = other.kept_;
}

SpectrumCache& SpectrumCache::operator=(const SpectrumCache& other) {
  if (this == &other) return *this;
  const std::scoped_lock lock(mutex_, other.mutex_);
  kept_ = other.kept_;
  return *this;
}

Tensor SpectrumCache::get(const std::string& key, const std::function<Tensor()>& compute) {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(key);
  if (found != kept_.end()) return found->second;
  const c10::InferenceMode ordinary(false);
  const at::NoGradGuard no_gradients;
  return kept_.emplace(key, compute()).first->second;
}

}  // namespace tessera
