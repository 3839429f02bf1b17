// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/distributed/boxed_operator.hpp"
#include "tessera/physics/downsampling.hpp"
#include "tessera/physics/finite_differences.hpp"
#include "tessera/physics/masking.hpp"
#include "tessera/physics/space_varying_blur.hpp"
#include "tessera/prior/l1_prior.hpp"

/// Operators of the physics room on images that ranks share out, beside boxed_blur.
namespace tessera {

namespace detail {

inline Halo no_halo(const BoxSpace& space) {
  const Extents zeros(space.extents().size(), 0);
  return {zeros, zeros};
}

/// Forward differences, in the order of FiniteDifferences, of all pixels but the last along each
/// axis: (B, C, n + 1...) to (B, axes C, n...).
class DifferencesToNext : public LinearOperator {
 public:
  std::string name() const override { return "finite_differences"; }

 private:
  /// The pixels with a next one, moved by `step` along axis d. A view.
  static Tensor inner(Tensor image, std::int64_t axis, std::int64_t step) {
    for (std::int64_t d = 2; d < image.dim(); ++d)
      image = image.narrow(d, d == axis ? step : 0, image.size(d) - 1);
    return image;
  }
  Tensor do_apply(const Tensor& x) const override {
    TensorList parts;
    for (std::int64_t d = 2; d < x.dim(); ++d) parts.push_back(inner(x, d, 1) - inner(x, d, 0));
    return at::cat(parts, 1);
  }
  Tensor do_apply_adjoint(const Tensor& v) const override {
    const std::int64_t directions = v.dim() - 2;
    if (v.size(1) % directions != 0) {
      throw error::ShapeMismatch(formatted(
          "boxed_differences.adjoint: v is {}, expected a multiple of {} channels, one for each "
          "direction",
          describe(v), directions));
    }
    Extents shape = v.sizes().vec();
    shape[1] /= directions;
    for (std::size_t d = 2; d < shape.size(); ++d) ++shape[d];
    Tensor x = at::zeros(shape, v.options());
    for (std::int64_t d = 2; d < v.dim(); ++d) {
      const Tensor part = v.narrow(1, (d - 2) * shape[1], shape[1]);
      inner(x, d, 1).add_(part);
      inner(x, d, 0).sub_(part);
    }
    return x;
  }
};

}  // namespace detail

/// Collective. Masking by a mask of which `mask` is this rank's part: (1 or B, 1 or C, extents of
/// its box). No halo: forward and adjoint communicate nothing. Throws error::RankFailure, on every
/// rank, where a part is none.
inline std::shared_ptr<BoxedOperator> boxed_mask(BoxSpacePtr space, const Tensor& mask) {
  if (!space) throw error::InvalidArgument("boxed_mask: the space is null");
  guarded(space->communicator(), "boxed_mask", [&] {
    const Extents box = space->local().extents();
    if (mask.dim() == static_cast<std::int64_t>(box.size()) + 2 &&
        mask.sizes().slice(2) == at::IntArrayRef(box))
      return;
    throw error::ShapeMismatch(
        formatted("boxed_mask: the mask is {}, expected (1 or B, 1 or C, ...) of extents {}, those "
                  "of this rank's box {}",
                  describe(mask), to_string(box), to_string(space->local())));
  });
  Halo halo = detail::no_halo(*space);
  return std::make_shared<BoxedOperator>(std::move(space), std::make_shared<Masking>(mask),
                                         std::move(halo), Padding::constant);
}

/// Downsampling(factor, kernel, padding), any padding but valid: blur, then every factor-th pixel,
/// one frame of super-resolution. The boxes of the measurement are those of the image, divided by
/// the factor. Throws error::InvalidArgument unless all boxes are at multiples of it.
inline std::shared_ptr<BoxedOperator> boxed_downsampling(BoxSpacePtr space, std::int64_t factor,
                                                         const Tensor& kernel,
                                                         Padding padding = Padding::circular) {
  return std::make_shared<BoxedOperator>(
      std::move(space),
      std::make_shared<Downsampling>(factor, kernel, BlurOptions{Padding::valid, {}}),
      detail::halo_of_kernel(kernel.sizes().slice(2)), padding, factor);
}

/// SpaceVaryingBlur(kernels, padding); nodes stand where they do in the whole image. A rank
/// computes those alone that have a weight in its window. Collective: throws error::RankFailure, on
/// every rank, where a box is too small for a kernel.
inline std::shared_ptr<BoxedOperator> boxed_space_varying_blur(
    BoxSpacePtr space, const Tensor& kernels, Padding padding = Padding::circular) {
  if (!space) throw error::InvalidArgument("boxed_space_varying_blur: the space is null");
  const SpaceVaryingBlur whole(kernels, BlurOptions{padding, {}});
  Halo halo = detail::halo_of_kernel(
      kernels.sizes().slice(static_cast<std::size_t>(kernels.dim() / 2 + 1)));
  const auto part = guarded(space->communicator(), "boxed_space_varying_blur", [&] {
    return std::make_shared<SpaceVaryingBlur>(
        whole.on_window(space->extents(), space->window(halo, padding)));
  });
  return std::make_shared<BoxedOperator>(std::move(space), part, std::move(halo), padding);
}

/// FiniteDifferences: (B, C, box) to (B, axes C, box), zero across the far borders of the image.
/// The halo is the next pixel along each axis. To minimise with total variation, give PrimalDual
/// this and a GroupL1Prior.
inline std::shared_ptr<BoxedOperator> boxed_differences(BoxSpacePtr space) {
  if (!space) throw error::InvalidArgument("boxed_differences: the space is null");
  Halo halo = detail::no_halo(*space);
  halo.after.assign(halo.after.size(), 1);
  const double norm_squared = detail::norm_squared_of_differences(space->extents());
  auto boxed = std::make_shared<BoxedOperator>(std::move(space),
                                               std::make_shared<detail::DifferencesToNext>(),
                                               std::move(halo), Padding::replicate);
  boxed->set_norm_squared(norm_squared);
  return boxed;
}

/// Collective. TotalVariation::value of the whole image, `x` this rank's box of it. `differences`:
/// boxed_differences.
inline double boxed_total_variation(const BoxedOperator& differences, const Tensor& x,
                                    ChannelCoupling channels = ChannelCoupling::joint) {
  const GroupL1Prior lengths(1.0, channels == ChannelCoupling::joint ? 1 : x.size(1));
  return differences.sum(*lengths.value(differences.forward(x).front()));
}

}  // namespace tessera
