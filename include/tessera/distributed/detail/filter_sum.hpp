// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/comm/detail/fnv_hash.hpp"
#include "tessera/comm/tensor_view.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/detail/shared_transforms.hpp"
#include "tessera/physics/linear_physics.hpp"

namespace tessera::detail {

/// What the ranks agree upon before they add their shares of a filter. A rank without operators
/// takes part in the sum and has no say in its kind.
class FilterPacket {
 public:
  FilterPacket() = default;
  /// `missing`: this rank holds operators whose filters do not add up.
  FilterPacket(const Tensor& x, const NormalFilter& share, bool missing) {
    values_[at_missing] = missing ? 1 : 0;
    const std::int64_t image = image_of(x);
    values_[at_image] = image;
    values_[at_image + 1] = -image;
    values_[at_kind] = values_[at_kind + 1] = silent;
    if (!share.defined()) return;
    values_[at_channels] = share.spectrum.size(0);
    values_[at_channels + 1] = share.spectrum.size(1);
    values_[at_circulant] = share.circulant ? 1 : 0;
    values_[at_factor] = share.factor;
    values_[at_pairs] = share.pairs ? 1 : 0;
    std::copy(share.transform.begin(), share.transform.end(), values_.begin() + at_transform);
    const std::int64_t kind = kind_of(share);
    values_[at_kind] = kind;
    values_[at_kind + 1] = -kind;
  }

  /// For guarded().
  std::span<std::int64_t> maxima() { return values_; }

  bool same_images() const { return values_[at_image] == -values_[at_image + 1]; }
  bool adds_up() const {
    const bool no_operators = values_[at_kind] == silent;
    return values_[at_missing] == 0 && (no_operators || values_[at_kind] == -values_[at_kind + 1]);
  }
  /// Zeros, to which a rank adds its share.
  NormalFilter zeros(const Tensor& x) const {
    const auto dimensions = static_cast<std::size_t>(x.dim() - 2);
    const bool no_operators = values_[at_kind] == silent;
    const auto* first = values_.data() + at_transform;
    const Extents transform =
        no_operators ? x.sizes().slice(2).vec() : Extents(first, first + dimensions);
    Extents shape = {std::max<std::int64_t>(1, values_[at_channels]),
                     std::max<std::int64_t>(1, values_[at_channels + 1])};
    const std::int64_t factor = std::max<std::int64_t>(1, values_[at_factor]);
    const bool has_pairs = values_[at_pairs] == 1;
    auto options = x.options().requires_grad(false);
    if (factor > 1) {
      std::int64_t aliases = 1;
      for (std::size_t d = 0; d < dimensions; ++d) aliases *= factor;
      shape.insert(shape.end(), {aliases, aliases});
      for (const std::int64_t extent : transform) shape.push_back(extent / factor);
      options =
          options.dtype(x.scalar_type() == at::kDouble ? at::kComplexDouble : at::kComplexFloat);
    } else {
      shape.insert(shape.end(), transform.begin(), transform.end());
      if (!has_pairs) shape.back() = shape.back() / 2 + 1;
    }
    return {at::zeros(shape, options), transform, no_operators || values_[at_circulant] == 1,
            factor, has_pairs};
  }

 private:
  static constexpr std::size_t at_missing = 0;
  static constexpr std::size_t at_channels = 1;  // of the spectrum, after its batch
  static constexpr std::size_t at_circulant = 3;
  static constexpr std::size_t at_transform = 4;
  static constexpr std::size_t at_image = 7;  // a number and its negative, as the next
  static constexpr std::size_t at_kind = 9;
  static constexpr std::size_t at_factor = 11;
  static constexpr std::size_t at_pairs = 12;
  static constexpr std::int64_t silent = std::numeric_limits<std::int64_t>::min();

  static std::int64_t image_of(const Tensor& x) {
    FnvHash hash;
    hash.add(static_cast<std::uint64_t>(x.scalar_type()));
    for (const std::int64_t extent : x.sizes()) hash.add(static_cast<std::uint64_t>(extent));
    return hash.value();
  }
  static std::int64_t kind_of(const NormalFilter& filter) {
    FnvHash hash;
    hash.add(filter.circulant ? 1 : 0);
    hash.add(static_cast<std::uint64_t>(filter.factor));
    hash.add(filter.pairs ? 1 : 0);
    for (const std::int64_t extent : filter.transform) hash.add(static_cast<std::uint64_t>(extent));
    return hash.value();
  }

  std::array<std::int64_t, 13> values_{};
};

/// Collective. `weight` times the sum of the normal filters of all ranks' operators; undefined if
/// one has none, or one of another kind. One agreement, one all-reduce of the spectrum.
inline NormalFilter sum_of_filters_over_ranks(Communicator& communicator, const std::string& who,
                                              double weight,
                                              const std::vector<LinearPhysicsPtr>& operators,
                                              const Tensor& x) {
  NormalFilter share;
  FilterPacket packet;
  guarded(
      communicator, who,
      [&] {
        share = sum_of_filters(operators, x);
        packet = FilterPacket(x, share, !operators.empty() && !share.defined());
      },
      packet.maxima());
  if (!packet.same_images()) {
    throw error::ShapeMismatch(
        who + ": the ranks' images differ in shape or dtype; every rank must give the same one");
  }
  if (!packet.adds_up()) return {};
  return committed(communicator, who, [&] {
    NormalFilter sum = packet.zeros(x);
    if (share.defined()) sum.spectrum.add_(share.spectrum);
    sum.spectrum.mul_(weight);
    if (communicator.size() > 1) all_reduce(communicator, sum.spectrum, Reduction::sum);
    return sum;
  });
}

}  // namespace tessera::detail
