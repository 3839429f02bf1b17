// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/arrays.hpp"

#include <fmt/format.h>

#include "tessera/core/error.hpp"
#include "tessera/io/intensities.hpp"
#include "tessera/io/npy.hpp"

namespace restoration {

using namespace tessera;

std::string warning_if_unclipped(const std::string& who, double least, double largest) {
  constexpr double rounding = 1e-3;
  if (least >= -rounding && largest <= 1 + rounding) return {};
  return fmt::format(
      "{}: some intensities lie outside 0 to 1, so that they were not clipped as --fidelity "
      "clipped takes them to be; --fidelity l2 fits them better",
      who);
}

Photograph read_image_array(const std::string& path) {
  const Tensor array = read_npy(path);
  const std::string who = "--truth " + path;
  if (array.dim() != 3 || array.size(0) != 3 || !array.is_floating_point() || array.numel() == 0) {
    throw error::ShapeMismatch(
        fmt::format("{}: the file holds {}, expected a floating [3, H, W]", who, describe(array)));
  }
  Photograph photograph{.image = array.unsqueeze(0)};
  const std::string warning = check_intensities(who, array);
  if (!warning.empty()) photograph.warnings.push_back(warning);
  return photograph;
}

Measurements read_measurements(const std::string& path, std::int64_t count,
                               const std::vector<std::int64_t>& held, const Tensor& like,
                               double noise, bool clipped) {
  const Tensor all = read_npy(path);
  const bool ok = all.dim() == 4 && all.is_floating_point() && all.size(0) == count &&
                  all.sizes().slice(1) == like.sizes().slice(1);
  const std::string who = "--measurements " + path;
  if (!ok) {
    throw error::ShapeMismatch(
        fmt::format("{}: the file holds {}, expected the {} measurements of this truth: [{}, 3, "
                    "{}, {}]",
                    who, describe(all), count, count, like.size(2), like.size(3)));
  }
  Measurements result;
  result.warning = check_intensities(who, all, noise);
  if (result.warning.empty() && clipped) {
    result.warning = warning_if_unclipped(who, all.min().item<double>(), all.max().item<double>());
  }
  for (const std::int64_t index : held) {
    result.held.push_back(all.select(0, index).unsqueeze(0).to(like.options()).contiguous());
  }
  return result;
}

}  // namespace restoration
