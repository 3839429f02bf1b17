// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

#include "restore/steps.hpp"
#include "tessera/comm/box.hpp"
#include "tessera/core/tensor.hpp"

namespace restore {

/// Reads the files of steps: of each its mask or kernel, (1, 1 or C, spatial...), kernels, or
/// matrix, sparse; undefined of others. Throws error::Error, beginning with the file.
struct PartReader {
  std::int64_t channels;
  std::int64_t spatial;
  bool outlines = false;  ///< of masks only how large they are

  tessera::Tensor operator()(const BlurStep& step) const;
  /// (rows, columns, 1, h, w).
  tessera::Tensor operator()(const SpaceVaryingBlurStep& step) const;
  tessera::Tensor operator()(const MaskStep& step) const { return mask(step.file, channels); }
  /// Of one channel, with the frequency 0, of which a restoration takes its mean.
  tessera::Tensor operator()(const FourierStep& step) const;
  tessera::Tensor operator()(const DownSamplingStep& /*step*/) const { return check_is_picture(); }
  tessera::Tensor operator()(const WarpStep& /*step*/) const { return check_is_picture(); }
  tessera::Tensor operator()(const TomographyStep& /*step*/) const { return {}; }
  tessera::Tensor operator()(const MatrixStep& step) const;

 private:
  tessera::Tensor mask(const std::string& file, std::int64_t most_channels) const;
  tessera::Tensor check_is_picture() const;
};

/// The part of a mask's file, with its checks.
tessera::Tensor read_mask_window(const std::string& file, const tessera::Box& window);

}  // namespace restore
