// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "restore/loaded_measurement.hpp"

namespace restore {

/// What every rank knows of a measurement.
struct Facts {
  tessera::Extents extents = {};  ///< spatial, of the measurement: 2 or 3
  tessera::Extents image = {};
  tessera::Extents first = {};  ///< of the frame, in the image
  tessera::Extents frame = {};
  std::int64_t channels = 0;
  Samples samples = Samples::u8;
  double white = 0;  ///< of integer samples; 0: their type does not say
  double smallest = 0;
  double largest = 0;
  double mean = 0;
  double noise = 0;      ///< the level estimated; negative: a mask forbids that
  double values = 0;     ///< how many were measured: those that no mask hides, of complex ones both
                         ///< parts
  double per_count = 0;  ///< what one count adds, estimated; 0: that cannot be estimated
  double dark = 0;       ///< the level of what shows nothing, estimated if per_count is
  double gain = 1;       ///< ||A|| of an operator whose result has a unit of its own
};

/// Of a part: as far as it goes, and 0 for a noise level that can be estimated.
Facts facts_of(const Measurement& measurement, const LoadedMeasurement& loaded);

}  // namespace restore
