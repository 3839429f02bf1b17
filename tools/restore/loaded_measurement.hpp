// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "restore/config.hpp"
#include "restore/pictures.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/distributed/box_space.hpp"

namespace restore {

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

/// The mask that acts last, (1, 1 or C, spatial...); undefined if another step does.
tessera::Tensor last_mask(const Measurement& measurement, const LoadedMeasurement& loaded);

/// Both parts of complex values.
tessera::Tensor real_numbers(const tessera::Tensor& values);

}  // namespace restore
