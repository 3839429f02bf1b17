// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/zeros_like.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/prior/prior.hpp"
#include "tessera/prior/ridge_prior.hpp"

namespace tessera {

/// RidgePrior on images that ranks share out: each rank sums over the places of a filter whose
/// first pixel is in its box. The halo is what a filter sees beyond it: one exchange for the value,
/// two for the gradient. For gradient methods: it has no proximal operator.
class ShardedRidgePrior : public Prior {
 public:
  /// Throws error::ShapeMismatch unless the images of the space have the dimensions of the filters
  /// and at least their extents; error::InvalidArgument for a null space.
  ShardedRidgePrior(RidgePrior prior, BoxSpacePtr space);

  /// "sharded(ridge_prior)"
  std::string name() const override { return formatted("sharded({})", prior_.name()); }
  bool is_convex() const override { return prior_.is_convex(); }
  std::optional<double> gradient_lipschitz() const override { return prior_.gradient_lipschitz(); }
  /// Collective. g of the whole image, all images of the batch together, in float64.
  inline std::optional<double> value(const Tensor& x) const override;
  Communicator& communicator() const override { return space_->communicator(); }
  const ImageSpace& space() const override { return *space_; }

 private:
  /// Collective.
  inline Tensor do_gradient(const Tensor& x) const override;
  /// True if a filter has a place in this window.
  bool has_places(const Tensor& window) const;

  RidgePrior prior_;
  BoxSpacePtr space_;
  Halo halo_;
};

inline ShardedRidgePrior::ShardedRidgePrior(RidgePrior prior, BoxSpacePtr space)
    : prior_(std::move(prior)), space_(std::move(space)) {
  if (!space_) throw error::InvalidArgument(name() + ": the space is null");
  const Extents filter = prior_.filter_extents();
  bool fits = space_->extents().size() == filter.size();
  for (std::size_t d = 0; fits && d < filter.size(); ++d) fits = space_->extents()[d] >= filter[d];
  if (!fits) {
    throw error::ShapeMismatch(
        formatted("{}: the space has images of {}, expected extents of at least {}, those of the "
                  "filters",
                  name(), to_string(space_->extents()), to_string(filter)));
  }
  for (const std::int64_t extent : filter) {
    halo_.before.push_back(0);
    halo_.after.push_back(extent - 1);
  }
}

inline bool ShardedRidgePrior::has_places(const Tensor& window) const {
  for (std::size_t d = 0; d < halo_.after.size(); ++d) {
    if (window.size(static_cast<std::int64_t>(d) + 2) <= halo_.after[d]) return false;
  }
  return true;
}

inline std::optional<double> ShardedRidgePrior::value(const Tensor& x) const {
  const std::string who = formatted("{}.value", name());
  const Tensor window = space_->with_halo(x, halo_, Padding::valid);
  double sum = 0;
  guarded(communicator(), who, [&] { sum = has_places(window) ? *prior_.value(window) : 0; });
  if (communicator().size() > 1) {
    communicator().control().all_reduce(&sum, 1, DataType::f64, Reduction::sum);
  }
  return sum;
}

inline Tensor ShardedRidgePrior::do_gradient(const Tensor& x) const {
  const Tensor window = space_->with_halo(x, halo_, Padding::valid);
  const Tensor gradient = fail_together(communicator(), formatted("{}.gradient", name()), [&] {
    return has_places(window) ? prior_.gradient(window) : at::zeros_like(window);
  });
  return space_->add_halo(gradient, halo_, Padding::valid);
}

}  // namespace tessera
