// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "restore/config.hpp"
#include "restore/pictures.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace restore {

/// Runs a step, and puts `where` before what it says if it fails: file, line and key.
template <typename Step>
auto at_key(const std::string& where, Step&& step) {
  try {
    return std::forward<Step>(step)();
  } catch (const tessera::error::Communication&) {
    throw;
  } catch (const tessera::error::Error& failure) {
    throw tessera::error::InvalidArgument(where + failure.what());
  }
}

/// A measurement and its operator's files, on the rank that holds it.
struct LoadedMeasurement {
  Picture picture;
  /// Of each step its mask or kernel, (1, 1 or C, spatial...), kernels, or matrix, sparse.
  std::vector<tessera::Tensor> parts = {};
  std::vector<tessera::Extents> inputs = {};  ///< of each step: spatial extents it acts on
  tessera::Extents image = {};                ///< spatial extents of the image that it measures
  tessera::Extents first = {};                ///< where in the image its frame begins
  tessera::Extents frame = {};  ///< extents of the frame: the image without what a valid blur sees
                                ///< beyond
  /// Where what was measured lives, if ranks share it out: values and masks are this rank's parts.
  /// Null: the rank has it whole.
  tessera::BoxSpacePtr boxes = {};
};

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

const std::string& where_of(const Step& step);

/// What a down-sampling weighs the pixels with that a pixel of the result stands for.
tessera::Tensor kernel_of(const DownSamplingStep& step);

/// Reads the files of a measurement. Throws error::InvalidArgument, beginning with file, line and
/// key, for files that cannot be read, values that are not finite or, of counts, negative, kernels
/// that do not sum to 1, masks that do not fit. Values under a last mask become 0.
LoadedMeasurement load(const Measurement& measurement);

/// load() without the values of the measurement and of masks, which are of the device meta: of
/// files that can be read by windows. Kernels are read.
LoadedMeasurement load_outline(const Measurement& measurement);

/// Local. Reads this rank's part, loaded.boxes, of the measurement; loaded.parts has those of
/// masks.
void load_part(const Measurement& measurement, LoadedMeasurement& loaded);

/// The part of a mask's file, with its checks.
tessera::Tensor read_mask_window(const std::string& file, const tessera::Box& window);

/// The mask that acts last, (1, 1 or C, spatial...); undefined if another step does.
tessera::Tensor last_mask(const Measurement& measurement, const LoadedMeasurement& loaded);

/// Of a part: as far as it goes, and 0 for a noise level that can be estimated.
Facts facts_of(const Measurement& measurement, const LoadedMeasurement& loaded);

/// The operator, for images (1, C, H, W) like `image`, of which only the shape and dtype are read.
/// It is tried out; throws error::InvalidArgument if it cannot be.
tessera::LinearPhysicsPtr make_operator(const Measurement& measurement,
                                        const LoadedMeasurement& loaded,
                                        const tessera::Tensor& image);

}  // namespace restore
