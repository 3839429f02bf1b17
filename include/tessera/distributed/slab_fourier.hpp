// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/fft_fft.h>
#include <ATen/ops/fft_ifft.h>
#include <ATen/ops/fft_irfftn.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/zeros.h>

#include <memory>
#include <utility>
#include <vector>

#include "tessera/comm/box_exchange.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/physics/shared_fourier.hpp"

namespace tessera {

/// Fourier transform of real images that ranks share out, in 2 or 3 dimensions: the half spectrum
/// at::fft_rfftn over the spatial dimensions, of which every rank holds one slab.
///
/// Boxes are cut anew into slabs along the first spatial axis, which are transformed over the other
/// axes, and those into slabs along the second axis, which are transformed over the first (the slab
/// decomposition of FFTW: Frigo and Johnson, Proc. IEEE 93, 2005). Two exchanges each way, of which
/// the first sends nothing where boxes are such slabs already: a rank sends at most its part of the
/// image, and of the spectrum. Any extents; ranks beyond the number of planes hold empty slabs.
///
/// Images: (B, C, extents of the space's local()). Spectra: (B, C, extents of slab()), complex,
/// nothing but plain tensors: products with a slab of another spectrum are right as they are. Not
/// differentiable.
class SlabFourier : public SharedFourier {
 public:
  /// Local. Throws error::InvalidArgument for a null space or one of another number of dimensions.
  explicit SlabFourier(BoxSpacePtr space);

  const BoxSpace& space() const override { return *space_; }
  /// This rank's frequencies in the half spectrum, whose extents are those of the image with
  /// n / 2 + 1 for the last. May be empty.
  const Box& slab() const {
    return to_columns_.wanted()[static_cast<std::size_t>(space_->communicator().rank())].front();
  }

  /// Collective, two exchanges. This rank's slab of the spectrum, complex128 for float64, otherwise
  /// complex64. Throws error::RankFailure, on every rank, if `own` is not of this rank's box.
  Tensor forward(const Tensor& own) const override;

  /// Collective, two exchanges. The image whose half spectrum this is; this rank's box of it,
  /// float64 or float32. Throws error::RankFailure, on every rank, if `spectrum` is not of slab().
  Tensor inverse(const Tensor& spectrum) const override;

 private:
  static BoxExchange rows_of(const BoxSpacePtr& space);
  static BoxExchange columns_of(const BoxSpace& space);

  BoxSpacePtr space_;
  BoxExchange to_rows_;     ///< of pixels: boxes to slabs along the first axis
  BoxExchange to_columns_;  ///< of frequencies: slabs along the first axis to such along the second
};

using SlabFourierPtr = std::shared_ptr<const SlabFourier>;

namespace detail {

/// `whole`, cut along `axis` into a slab for each rank; some are empty if there are more of them.
inline BoxesOfRanks slabs_of(const Box& whole, std::size_t axis, int ranks) {
  const Extents cuts = cuts_of(whole.axes[axis].end, ranks, 1);
  BoxesOfRanks slabs;
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
    slabs.push_back({whole});
    slabs.back().front().axes[axis] = {cuts[i], cuts[i + 1]};
  }
  return slabs;
}

}  // namespace detail

inline BoxExchange SlabFourier::rows_of(const BoxSpacePtr& space) {
  if (!space) throw error::InvalidArgument("SlabFourier: the space is null");
  if (space->extents().size() < 2) {
    throw error::InvalidArgument(
        formatted("SlabFourier: images of extents {}, expected 2 or 3 dimensions",
                  to_string(space->extents())));
  }
  return {space->ranks(), one_each(space->boxes()),
          detail::slabs_of(whole_box(space->extents()), 0, space->communicator().size())};
}

inline BoxExchange SlabFourier::columns_of(const BoxSpace& space) {
  Box frequencies = whole_box(space.extents());
  frequencies.axes.back().end = space.extents().back() / 2 + 1;
  const int ranks = space.communicator().size();
  return {space.ranks(), detail::slabs_of(frequencies, 0, ranks),
          detail::slabs_of(frequencies, 1, ranks)};
}

inline SlabFourier::SlabFourier(BoxSpacePtr space)
    : space_(std::move(space)), to_rows_(rows_of(space_)), to_columns_(columns_of(*space_)) {}

inline Tensor SlabFourier::forward(const Tensor& own) const {
  Communicator& ranks = space_->communicator();
  const Tensor rows = to_rows_.forward({own}).front();
  const Tensor half = fail_together(ranks, "SlabFourier.forward", [&] {
    const at::ScalarType precision = own.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    Extents others;
    for (std::int64_t axis = 3; axis < rows.dim(); ++axis) others.push_back(axis);
    if (rows.numel() > 0) return at::fft_rfftn(rows.to(precision), {}, others);
    Extents shape = rows.sizes().vec();  // FFTs are not for tensors of no elements
    shape.back() = shape.back() / 2 + 1;
    return at::zeros(shape, rows.options().dtype(c10::toComplexType(precision)));
  });
  const Tensor columns = to_columns_.forward({half}).front();
  return fail_together(ranks, "SlabFourier.forward",
                       [&] { return columns.numel() > 0 ? at::fft_fft(columns, {}, 2) : columns; });
}

inline Tensor SlabFourier::inverse(const Tensor& spectrum) const {
  Communicator& ranks = space_->communicator();
  const Tensor columns = fail_together(ranks, "SlabFourier.inverse", [&] {
    return spectrum.numel() > 0 ? at::fft_ifft(spectrum, {}, 2) : spectrum;
  });
  const Tensor half = to_columns_.adjoint({columns}).front();
  const Tensor rows = fail_together(ranks, "SlabFourier.inverse", [&] {
    Extents others;
    for (std::int64_t axis = 3; axis < half.dim(); ++axis) others.push_back(axis);
    const Extents extents(space_->extents().begin() + 1, space_->extents().end());
    if (half.numel() > 0) return at::fft_irfftn(half, extents, others);
    Extents shape = half.sizes().vec();
    shape.back() = extents.back();
    return at::zeros(shape, half.options().dtype(c10::toRealValueType(half.scalar_type())));
  });
  return to_rows_.adjoint({rows}).front();
}

}  // namespace tessera
