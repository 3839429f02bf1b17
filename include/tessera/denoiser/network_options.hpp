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

  /// Largest relative change of the result (root mean square) with which the engine takes larger
  /// tiles, Winograd's F(6x6, 3x3) in place of F(4x4, 3x3): about 10 % less time, two to three
  /// times the rounding error. Measured with these weights on a test image when they are prepared;
  /// what was measured and chosen is in engine_summary(). 0: never.
  double tile_tolerance = 1.5e-6;

  /// Floating type to compute in; the result is converted back to the image's. nullopt: the image's
  /// own. Half and bfloat16 pay on GPUs that have units for them.
  std::optional<at::ScalarType> compute_type;
};

}  // namespace tessera
