// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/arange.h>
#include <ATen/ops/fft_fft.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/polar.h>
#include <ATen/ops/zeros.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/slab_fourier.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/physics/translation.hpp"

namespace tessera {

/// Circular convolution, by Fourier transform, of images that ranks share out: for kernels of any
/// size, whose halo boxed_blur would have to fetch. A rank's measurement is that of its box.
///
/// forward, adjoint and everything made of them are collective over the ranks of the space: one
/// transform there and one back (SlabFourier). A^T A is a circulant filter (normal_filter): the
/// norm and shifted inverse are exact, and a stack of any number of them has the normal operator of
/// one. Not differentiable.
class SlabBlur : public LinearPhysics {
 public:
  /// Local. `transfer`: this rank's slab of the kernel's spectrum, complex, (1 or B, 1 or C,
  /// extents of fourier->slab()), the kernel's centre at pixel 0. Its precision is that of the
  /// results at best. Throws error::InvalidArgument for a null transform, error::ShapeMismatch for
  /// a transfer function that is not of the slab.
  SlabBlur(SlabFourierPtr fourier, Tensor transfer);

  std::string name() const override { return "slab_blur"; }
  Communicator& communicator() const override { return space().communicator(); }
  const BoxSpace& space() const override { return fourier_->space(); }
  const SlabFourier& fourier() const { return *fourier_; }
  const Tensor& transfer() const { return transfer_; }

 private:
  inline NormalFilter do_normal_filter(const Tensor& x) const override;
  TensorList do_forward(const Tensor& x) const override { return {filtered(x, transfer_, "x")}; }
  Tensor do_adjoint(const TensorList& v) const override {
    return filtered(v.front(), transfer_.conj(), "v");
  }
  inline Tensor filtered(const Tensor& image, const Tensor& factors, const char* what) const;
  inline void check_fits(const Tensor& image, const char* what) const;

  SlabFourierPtr fourier_;
  Tensor transfer_;
};

/// Local. Blur(kernel, Padding::circular) on images that ranks share out. `kernel`: as Blur takes
/// it, the same on all ranks, in the precision of the images to come. A rank computes its slab of
/// the spectrum alone, and holds no tensor beyond two such slabs or two kernels. For kernels as
/// large as the image, which no rank can hold, there is slab_blur_of_boxes.
inline std::shared_ptr<const SlabBlur> slab_blur(const BoxSpacePtr& space, const Tensor& kernel);

/// Collective. The same for a kernel of the image's extents, of which every rank holds its box, as
/// of an image: (1 or B, 1 or C, extents of the space's local()). Its centre is pixel floor(n / 2)
/// of each axis of n pixels.
inline std::shared_ptr<const SlabBlur> slab_blur_of_boxes(const BoxSpacePtr& space,
                                                          const Tensor& kernel);

/// Local. Translation(shift) on images that ranks share out: `shift` pixels along each spatial
/// dimension. Throws error::InvalidArgument as Translation does, error::ShapeMismatch if the space
/// has another number of dimensions.
inline std::shared_ptr<const SlabBlur> slab_translation(const BoxSpacePtr& space,
                                                        const std::vector<double>& shift);

namespace detail {

/// exp(-2 pi i k (j - centre) / n), (frequencies k, positions j = 0, 1, ...), complex128. The phase
/// is reduced to one turn in integers, so that it is as exact for large k j as for small.
inline Tensor fourier_matrix(Interval frequencies, std::int64_t positions, std::int64_t centre,
                             std::int64_t n, at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kLong).device(device);
  const Tensor k = at::arange(frequencies.begin, frequencies.end, options);
  const Tensor j = at::arange(-centre, positions - centre, options);
  const Tensor turns = (k.unsqueeze(1) * j).remainder(n).to(at::kDouble) / n;
  constexpr double turn = 6.283185307179586477;
  return at::polar(at::ones_like(turns), -turn * turns);
}

/// The slab of the spectrum of `kernel`, not larger than the image, whose centre moves to pixel 0.
inline Tensor slab_of_kernel(const Tensor& kernel, const Extents& centre, const Extents& extents,
                             const Box& slab) {
  if (slab.is_empty()) {
    Extents shape = {kernel.size(0), kernel.size(1)};
    for (const std::int64_t extent : slab.extents()) shape.push_back(extent);
    return at::zeros(shape, kernel.options().dtype(at::kComplexDouble));
  }
  const auto matrix = [&](std::size_t d, std::int64_t positions) {
    return fourier_matrix(slab.axes[d], positions, centre[d], extents[d], kernel.device());
  };
  // The axis that is cut comes first, so that nothing grows beyond a slab on the way.
  Tensor spectrum =
      at::matmul(kernel.to(at::kComplexDouble).movedim(3, -1), matrix(1, kernel.size(3)).t())
          .movedim(-1, 3);
  for (const std::size_t d : {std::size_t{2}, std::size_t{0}}) {
    if (d >= extents.size()) continue;
    const auto axis = static_cast<std::int64_t>(d) + 2;
    spectrum = at::fft_fft(spectrum, extents[d], axis).narrow(axis, 0, slab.axes[d].length());
    spectrum = spectrum.movedim(axis, -1).mul(matrix(d, 1).squeeze(1)).movedim(-1, axis);
  }
  return spectrum.contiguous();
}

}  // namespace detail

inline SlabBlur::SlabBlur(SlabFourierPtr fourier, Tensor transfer)
    : fourier_(std::move(fourier)), transfer_(std::move(transfer)) {
  if (!fourier_) throw error::InvalidArgument("slab_blur: the Fourier transform is null");
  const Box& slab = fourier_->slab();
  const bool fits = transfer_.defined() && transfer_.is_complex() &&
                    transfer_.dim() == static_cast<std::int64_t>(slab.axes.size()) + 2 &&
                    transfer_.sizes().slice(2) == at::IntArrayRef(slab.extents());
  if (fits) return;
  throw error::ShapeMismatch(
      formatted("slab_blur: the transfer function is {}, expected complex (1 or B, 1 or C, ...) of "
                "extents {}, those of this rank's slab {}",
                describe(transfer_), to_string(slab.extents()), to_string(slab)));
}

inline void SlabBlur::check_fits(const Tensor& image, const char* what) const {
  const auto fits = [&](std::int64_t d) {
    return transfer_.size(d) == 1 || transfer_.size(d) == image.size(d);
  };
  const Extents extents = space().local().extents();
  if (image.dim() == transfer_.dim() && image.sizes().slice(2) == at::IntArrayRef(extents) &&
      fits(0) && fits(1)) {
    return;
  }
  throw error::ShapeMismatch(formatted(
      "slab_blur: {} is {}, expected the extents {} of this rank's box, and images and channels "
      "that the kernel's spectrum {} fits",
      what, describe(image), to_string(extents), to_string(transfer_.sizes())));
}

inline Tensor SlabBlur::filtered(const Tensor& image, const Tensor& factors,
                                 const char* what) const {
  fail_together(communicator(), name(), [&] { check_fits(image, what); });
  return fourier_->convolve(image, factors);
}

inline NormalFilter SlabBlur::do_normal_filter(const Tensor& x) const {
  fail_together(communicator(), name(), [&] { check_fits(x, "x"); });
  return NormalFilter::on_parts_like(x, squared_magnitude(transfer_), fourier_);
}

inline std::shared_ptr<const SlabBlur> slab_blur(const BoxSpacePtr& space, const Tensor& kernel) {
  const auto fourier = std::make_shared<SlabFourier>(space);
  const Extents& extents = space->extents();
  const bool ok = kernel.defined() && kernel.is_floating_point() && kernel.numel() > 0 &&
                  kernel.dim() == static_cast<std::int64_t>(extents.size()) + 2;
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("slab_blur: the kernel is {}, expected a floating (1 or B, 1 or C, ...) for "
                  "images of extents {}",
                  describe(kernel), to_string(extents)));
  }
  Extents centre;
  for (std::size_t d = 0; d < extents.size(); ++d) {
    centre.push_back(kernel.size(static_cast<std::int64_t>(d) + 2) / 2 % extents[d]);
  }
  const Tensor transfer = detail::slab_of_kernel(detail::wrap_around(kernel, extents), centre,
                                                 extents, fourier->slab());
  return std::make_shared<SlabBlur>(
      fourier,
      transfer.to(kernel.scalar_type() == at::kDouble ? at::kComplexDouble : at::kComplexFloat));
}

inline std::shared_ptr<const SlabBlur> slab_blur_of_boxes(const BoxSpacePtr& space,
                                                          const Tensor& kernel) {
  const auto fourier = std::make_shared<SlabFourier>(space);
  Tensor transfer = fourier->forward(kernel);
  const Extents& extents = space->extents();
  for (std::size_t d = 0; d < extents.size(); ++d) {
    const auto axis = static_cast<std::int64_t>(d) + 2;
    const Tensor phases = detail::fourier_matrix(fourier->slab().axes[d], 1, extents[d] / 2,
                                                 extents[d], kernel.device());
    transfer = transfer.movedim(axis, -1).mul_(phases.squeeze(1)).movedim(-1, axis);
  }
  return std::make_shared<SlabBlur>(fourier, transfer);
}

inline std::shared_ptr<const SlabBlur> slab_translation(const BoxSpacePtr& space,
                                                        const std::vector<double>& shift) {
  const auto fourier = std::make_shared<SlabFourier>(space);
  const Translation motion(shift);
  return std::make_shared<SlabBlur>(fourier, motion.transfer_at(space->extents(), fourier->slab()));
}

}  // namespace tessera
