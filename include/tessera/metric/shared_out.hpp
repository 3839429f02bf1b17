// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/abs.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log10.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/image_space.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/distributed/slab_fourier.hpp"
#include "tessera/metric/ssim.hpp"
#include "tessera/metric/whiteness.hpp"

/// The metrics of images that ranks share out: `image` and `reference` are this rank's parts, and
/// the results, shape (B), float64, are those of the whole images to rounding, the same on all
/// ranks. All are collective over the ranks of the space, and throw error::RankFailure, on every
/// rank, where the metric of whole images throws error::ShapeMismatch.
namespace tessera {

/// mse(image, reference). Communicates sums alone.
Tensor mse(const ImageSpace& space, const Tensor& image, const Tensor& reference);

/// psnr(image, reference, range). Communicates sums alone.
Tensor psnr(const ImageSpace& space, const Tensor& image, const Tensor& reference,
            double range = 1);

/// mae(image, reference). Communicates sums alone.
Tensor mae(const ImageSpace& space, const Tensor& image, const Tensor& reference);

/// nrmse(image, reference). Communicates sums alone.
Tensor nrmse(const ImageSpace& space, const Tensor& image, const Tensor& reference);

/// ssim(image, reference, options): sums, and exchanges of a halo of half the window's width, 5
/// pixels by default, of both images: one for small boxes, one for each channel of large ones, of
/// which no more than a channel is held beside the images. Boxes at the border of the image have
/// more pixels than that along each axis, else error::RankFailure.
Tensor ssim(const BoxSpace& space, const Tensor& image, const Tensor& reference,
            const SsimOptions& options = {});

/// autocorrelation_energy(residual), and that of what `mask` shows, of which each rank has its
/// part, (1 or B, 1 or C, extents of its box): sums and two transforms of SlabFourier, four with a
/// mask. Images of two or three spatial dimensions; boxes may be empty. Throws
/// error::InvalidArgument for a null space or one of another number of dimensions.
Tensor autocorrelation_energy(const BoxSpacePtr& space, const Tensor& residual);
Tensor autocorrelation_energy(const BoxSpacePtr& space, const Tensor& residual, const Tensor& mask);

namespace detail {

/// The difference of two images, in float32 at least.
inline Tensor difference_of(const ImageSpace& space, const Tensor& image, const Tensor& reference,
                            const char* who) {
  return fail_together(space.communicator(), who, [&] {
    check_image(image, formatted("{}: image", who));
    check_like(reference, image, formatted("{}: reference", who));
    const at::ScalarType type = c10::promoteTypes(image.scalar_type(), at::kFloat);
    return image.to(type) - reference.to(type);
  });
}

/// Means of a b over the elements of each image.
inline Tensor mean_each(const ImageSpace& space, const Tensor& a, const Tensor& b) {
  const std::vector<double> sums = space.dot_each(a, b);
  const auto elements = static_cast<double>(space.numel(a)) / static_cast<double>(a.size(0));
  return at::tensor(sums, at::TensorOptions().dtype(at::kDouble)).to(a.device()) / elements;
}

/// The middle and reach of the intensities of both images, all parts together; NaN if one is.
inline Intensities intensities(const BoxSpace& space, const Tensor& image, const Tensor& reference,
                               const SsimOptions& options) {
  Intensities mine;
  std::array<std::int64_t, 1> is_nan = {0};
  guarded(
      space.communicator(), "ssim",
      [&] {
        check_ssim(options);
        check_image(image, "ssim: image");
        check_like(reference, image, "ssim: reference");
        Extents shape = {image.size(0), image.size(1)};
        for (const std::int64_t extent : space.extents()) shape.push_back(extent);
        if (!ssim_is_defined(shape, options)) {
          throw error::ShapeMismatch(
              formatted("ssim: the whole image is {}, expected two or three spatial dimensions of "
                        "more than {} pixels, half the window's width (see ssim_is_defined)",
                        to_string(shape), half_width(options)));
        }
        mine = intensities(image, reference);
        is_nan = {std::isnan(mine.middle) ? 1 : 0};
      },
      is_nan);
  if (is_nan[0] != 0) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan};
  }
  std::array<double, 2> bounds = {mine.middle + mine.reach, mine.reach - mine.middle};
  if (space.communicator().size() > 1) {
    space.communicator().control().all_reduce(bounds.data(), 2, DataType::f64, Reduction::max);
  }
  return {(bounds[0] - bounds[1]) / 2, (bounds[0] + bounds[1]) / 2};
}

/// Sums of the index over the pixels of this rank's boxes, (B), float64. Goes through the channels
/// a few at a time, with an exchange for each, so that boxes of some `most` elements are held at
/// once.
inline Tensor ssim_sums(const BoxSpace& space, const Tensor& image, const Tensor& reference,
                        const Halo& halo, const Tensor& window, const SsimConstants& constants,
                        std::int64_t most = ssim_slab) {
  const std::int64_t batch = image.size(0);
  const std::int64_t of_channel =  // the same on all ranks
      batch * (c10::multiply_integers(space.extents()) / space.communicator().size() + 1);
  const std::int64_t step = std::max<std::int64_t>(1, most / of_channel);
  Tensor sums = at::zeros({batch}, image.options().dtype(at::kDouble));
  for (std::int64_t first = 0; first < image.size(1); first += step) {
    const std::int64_t count = std::min(step, image.size(1) - first);
    const Tensor both =
        space.with_halo(at::cat({image.narrow(1, first, count), reference.narrow(1, first, count)})
                            .to(window.scalar_type()),
                        halo, Padding::reflect);
    const Tensor x = both.narrow(0, 0, batch);
    const Tensor y = both.narrow(0, batch, batch);
    const Tensor each = runs_on_host(x, y)
                            ? ssim_sums_on_host(x, y, window, constants, Beyond::held)
                            : ssim_sums(x, y, window, constants);
    sums += each.sum(1);
  }
  return sums;
}

/// WholeLags of images that ranks share out: a rank has the lags of its box.
class SharedLags {
 public:
  explicit SharedLags(const BoxSpacePtr& space) : fourier_(space) {}

  void check_own(const Tensor& residual, const Tensor& mask) const {
    fail_together(space().communicator(), "autocorrelation_energy", [&] {
      space().check_own(residual, "autocorrelation_energy: residual");
      if (mask.defined()) space().check_own(mask, "autocorrelation_energy: mask");
    });
  }
  Tensor sum(const Tensor& x) const {
    const Tensor mine = WholeLags{}.sum(x);
    const std::vector<double> all =
        space().dot_each(mine.flatten(), at::ones_like(mine).flatten(), mine.numel());
    return at::tensor(all, at::TensorOptions().dtype(at::kDouble)).to(x.device()).view_as(mine);
  }
  double places(const Tensor& /*x*/) const {
    return static_cast<double>(c10::multiply_integers(space().extents()));
  }
  Tensor products(const Tensor& x) const {
    const Tensor spectrum = fourier_.forward(x);
    const Tensor power = fail_together(space().communicator(), "autocorrelation_energy", [&] {
      return at::abs(spectrum).square().sum(1, /*keepdim=*/true).to(spectrum.scalar_type());
    });
    return fourier_.inverse(power);
  }

 private:
  const BoxSpace& space() const { return fourier_.space(); }

  SlabFourier fourier_;
};

}  // namespace detail

inline Tensor autocorrelation_energy(const BoxSpacePtr& space, const Tensor& residual) {
  const detail::SharedLags lags(space);
  lags.check_own(residual, {});
  return detail::energy_over(lags, residual);
}

inline Tensor autocorrelation_energy(const BoxSpacePtr& space, const Tensor& residual,
                                     const Tensor& mask) {
  const detail::SharedLags lags(space);
  lags.check_own(residual, mask);
  return detail::energy_over(lags, residual, mask);
}

inline Tensor mse(const ImageSpace& space, const Tensor& image, const Tensor& reference) {
  const Tensor difference = detail::difference_of(space, image, reference, "mse");
  return detail::mean_each(space, difference, difference);
}

inline Tensor psnr(const ImageSpace& space, const Tensor& image, const Tensor& reference,
                   double range) {
  check_positive(range, "psnr", "range");
  return 10 * at::log10(range * range / mse(space, image, reference));
}

inline Tensor mae(const ImageSpace& space, const Tensor& image, const Tensor& reference) {
  const Tensor difference = at::abs(detail::difference_of(space, image, reference, "mae"));
  return detail::mean_each(space, difference, at::ones_like(difference));
}

inline Tensor nrmse(const ImageSpace& space, const Tensor& image, const Tensor& reference) {
  const Tensor error = mse(space, image, reference);
  const Tensor wide = reference.to(c10::promoteTypes(reference.scalar_type(), at::kFloat));
  return at::sqrt(error / detail::mean_each(space, wide, wide));
}

inline Tensor ssim(const BoxSpace& space, const Tensor& image, const Tensor& reference,
                   const SsimOptions& options) {
  const detail::Intensities values = detail::intensities(space, image, reference, options);
  const at::ScalarType type = detail::ssim_type(options, values, image.scalar_type());
  const detail::SsimConstants constants = detail::ssim_constants(options, values);
  const Extents half(space.extents().size(), detail::half_width(options));
  const Tensor sums = detail::ssim_sums(space, image, reference, {half, half},
                                        detail::ssim_window(options, image).to(type), constants);
  const std::vector<double> of_all = space.dot_each(sums, at::ones_like(sums));
  const auto elements =
      static_cast<double>(image.size(1) * c10::multiply_integers(space.extents()));
  return at::tensor(of_all, at::TensorOptions().dtype(at::kDouble)).to(image.device()) / elements;
}

}  // namespace tessera
