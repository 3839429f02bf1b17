// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <c10/core/ScalarType.h>

#include <optional>

namespace tessera {

/// Who computes a network's convolutions.
enum class Engine {
  automatic,  ///< the fastest that is known to be as accurate, chosen per call
  reference,  ///< LibTorch's operations, always
};

/// How a network computes float32 images on a GPU when no gradients are needed. The images
/// themselves, and all arithmetic outside the network, stay in float32.
enum class GpuPrecision {
  half,      ///< 16-bit floating point: the fastest; about 1e-3 of an intensity
  bfloat16,  ///< 8 bits of precision, for weights whose features exceed half's range
  tf32,      ///< float32 whose products are rounded to 11 bits
  float32    ///< in full
};

/// How a network is run. What it computes is in its weights.
struct NetworkOptions {
  Engine engine = Engine::automatic;

  /// Largest relative change of the result (root mean square) with which the engine takes larger
  /// tiles, Winograd's F(6x6, 3x3) instead of F(4x4, 3x3): about 10 % less time, two to three
  /// times the rounding error. Measured with these weights on a test image when they are prepared;
  /// what was measured and chosen is in engine_summary(). 0: never.
  double tile_tolerance = 1.5e-6;

  /// Of the four, what a GPU takes for float32 images; for others and with gradients, their own
  /// type.
  GpuPrecision gpu_precision = GpuPrecision::half;

  /// Floating type to compute in, on every device and in every case; the result is converted back
  /// to the image's. nullopt: on a GPU by gpu_precision, else the image's own.
  std::optional<at::ScalarType> compute_type;
};

}  // namespace tessera
