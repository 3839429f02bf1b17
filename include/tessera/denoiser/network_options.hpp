#pragma once

#include <c10/core/ScalarType.h>

#include <optional>

namespace tessera {

/// Who computes a network's convolutions.
enum class Engine {
  automatic,  ///< the fastest that is known to be as accurate, chosen per call
  reference,  ///< LibTorch's operations, always
};

/// How a network is run. What it computes is in its weights.
struct NetworkOptions {
  Engine engine = Engine::automatic;

  /// Floating type to compute in; the result is converted back to the image's. nullopt: the image's
  /// own. Half and bfloat16 pay on GPUs that have units for them.
  std::optional<at::ScalarType> compute_type;
};

}  // namespace tessera
