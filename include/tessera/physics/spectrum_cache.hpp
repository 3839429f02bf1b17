#pragma once

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

}  // namespace tessera
