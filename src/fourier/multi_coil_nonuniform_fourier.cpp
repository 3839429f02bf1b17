// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fourier/multi_coil_nonuniform_fourier.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/real.h>

#include "fourier/checks.hpp"
#include "tessera/core/complex_channels.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

constexpr const char* coils_off_grid = "multi_coil_nonuniform_fourier";

NonuniformFourierOptions of_pairs(NonuniformFourierOptions options) {
  options.complex_pairs = true;
  return options;
}

}  // namespace

MultiCoilNonuniformFourier::MultiCoilNonuniformFourier(const Tensor& coils, const Tensor& points,
                                                       const NonuniformFourierOptions& options)
    : complex_pairs_(options.complex_pairs),
      coils_(fourier::checked_maps(coils, coils_off_grid).detach()),
      transform_(coils.sizes().slice(2).vec(), points, of_pairs(options)) {}

Tensor MultiCoilNonuniformFourier::image_of(const Tensor& x, const char* what) const {
  const std::int64_t channels = complex_pairs_ ? 2 : 1;
  const std::int64_t batch = coils_.original().size(0);
  const bool ok = (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble) &&
                  x.dim() == coils_.original().dim() && x.size(1) == channels &&
                  x.sizes().slice(2) == at::IntArrayRef(extents()) &&
                  (batch == 1 || x.size(0) == batch);
  if (!ok) {
    throw error::ShapeMismatch(formatted(
        "{}.{} is {}, expected a float32 or float64 image with {} of extents {}{}", coils_off_grid,
        what, describe(x), complex_pairs_ ? "channels re and im" : "one channel",
        to_string(extents()), batch == 1 ? "" : formatted(", a batch of {} as the maps", batch)));
  }
  return complex_pairs_ ? to_complex(x) : x;
}

Tensor MultiCoilNonuniformFourier::channels_of(const Tensor& image) const {
  return complex_pairs_ ? from_complex(image) : at::real(image).contiguous();
}

Tensor MultiCoilNonuniformFourier::coil(std::int64_t k, const Tensor& like) const {
  return coils_.as(like.device(), c10::toComplexType(like.scalar_type())).narrow(1, k, 1);
}

Tensor MultiCoilNonuniformFourier::do_apply(const Tensor& x) const {
  const at::NoGradGuard no_gradients;  // the adjoint is the derivative
  const Tensor image = image_of(x, "forward: x");
  TensorList y;
  for (std::int64_t k = 0; k < coils(); ++k) {
    y.push_back(transform_.apply(from_complex(coil(k, x) * image)));
  }
  return at::cat(y, 1);
}

Tensor MultiCoilNonuniformFourier::do_apply_adjoint(const Tensor& v) const {
  const at::NoGradGuard no_gradients;
  const std::int64_t batch = coils_.original().size(0);
  const std::int64_t count = transform_.points().size(0);
  const bool ok = fourier::is_complex_type(v) && v.dim() == 3 && v.size(1) == coils() &&
                  v.size(2) == count && (batch == 1 || v.size(0) == batch);
  if (!ok) {
    throw error::ShapeMismatch(formatted(
        "{}.adjoint: v is {}, expected complex64 or complex128 ({}, {}, {})", coils_off_grid,
        describe(v), batch == 1 ? "B" : std::to_string(batch), coils(), count));
  }
  Tensor sum;
  for (std::int64_t k = 0; k < coils(); ++k) {
    const Tensor part = to_complex(transform_.apply_adjoint(v.narrow(1, k, 1)));
    const Tensor seen = part * coil(k, part).conj();
    sum = sum.defined() ? sum.add_(seen) : seen;
  }
  return channels_of(sum);
}

Tensor MultiCoilNonuniformFourier::do_normal(const Tensor& x) const {
  const Tensor image = image_of(x, "normal: x");
  Tensor sum;
  for (std::int64_t k = 0; k < coils(); ++k) {
    const Tensor map = coil(k, x);
    const Tensor seen = to_complex(transform_.normal(from_complex(map * image))) * map.conj();
    sum = sum.defined() ? sum + seen : seen;
  }
  return channels_of(sum);
}

}  // namespace tessera
