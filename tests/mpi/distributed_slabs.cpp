// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/abs.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/fft_irfftn.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/real.h>

#include "catch.hpp"
#include "distributed_parts.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/distributed/slab_fourier.hpp"
#include "tessera/physics/detail/convolution.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// Fourier transforms of images that ranks hold in boxes, on 1 to 8 ranks, beside those of the
// whole.
namespace {

BoxSpacePtr space_of(const Tensor& image, CommunicatorPtr ranks = test::world()) {
  return std::make_shared<BoxSpace>(std::move(ranks), image.sizes().slice(2).vec());
}

/// Odd, even and prime extents; fewer rows, and fewer frequencies along the second axis, than some
/// numbers of ranks.
std::vector<Tensor> images() {
  return {test::indexed({2, 3, 29, 37}), test::indexed({1, 2, 3, 40}), test::indexed({1, 1, 41, 4}),
          test::indexed({1, 2, 11, 13, 17}), test::indexed({2, 1, 12, 3, 10})};
}

double error_of(const Tensor& spectrum, const Tensor& truth) {
  if (truth.numel() == 0) return spectrum.sizes() == truth.sizes() ? 0 : 1;
  return relative_error(at::view_as_real(spectrum), at::view_as_real(truth.contiguous()));
}

}  // namespace

TEST_CASE("slabs of a spectrum are those of the whole image's") {
  for (const Tensor& image : images()) {
    INFO(to_string(image.sizes()));
    const BoxSpacePtr space = space_of(image);
    const SlabFourier fourier(space);
    const Tensor whole = to_fourier(image, space->extents());
    const Box frequencies = whole_box(whole.sizes().slice(2));
    const Tensor own = space->scatter(image);
    const Tensor slab = fourier.forward(own);
    CHECK(error_of(slab, part_of(whole, frequencies, fourier.slab())) < 1e-14);
    CHECK(relative_error(fourier.inverse(slab), own) < 1e-14);
    // Not the spectrum of any real image along the last axis: read as at::fft_irfftn reads it.
    const Tensor any = at::complex(test::indexed(whole.sizes()), test::indexed(whole.sizes(), 1));
    CHECK(relative_error(fourier.inverse(part_of(any, frequencies, fourier.slab()).contiguous()),
                         space->scatter(from_fourier(any, space->extents(), at::kDouble))) < 1e-13);

    const Tensor single = fourier.forward(own.to(at::kFloat));
    CHECK(single.scalar_type() == at::kComplexFloat);
    CHECK(fourier.inverse(single).scalar_type() == at::kFloat);
    CHECK(relative_error(fourier.inverse(single), own) < 1e-6);
  }
}

TEST_CASE("a transform is two exchanges, of this rank's part of image and spectrum") {
  const auto counting = std::make_shared<CountingCommunicator>(test::world());
  const Tensor image = test::indexed({1, 2, 24, 30});
  const BoxSpacePtr space = space_of(image, counting);
  const SlabFourier fourier(space);
  const Tensor own = space->scatter(image);
  counting->reset();
  const Tensor slab = fourier.forward(own);
  const auto calls = [&] { return counting->data(Collective::exchange).calls; };
  const std::int64_t each = test::world()->size() == 1 ? 0 : 1;
  CHECK(calls() == 2 * each);
  const double bound =
      static_cast<double>(own.nbytes()) +
      16.0 * 2 * 16 * static_cast<double>((24 + counting->size() - 1) / counting->size());
  CHECK(static_cast<double>(counting->data().bytes_sent) <= bound);
  fourier.inverse(slab);
  CHECK(calls() == 4 * each);
  CHECK(counting->data().calls == calls());
}

TEST_CASE("images that have no slabs are refused on every rank") {
  const auto line = std::make_shared<BoxSpace>(test::world(), Extents{64});
  CHECK_THROWS_WITH(SlabFourier(line), test::contains("expected 2 or 3 dimensions"));
  const Tensor image = test::indexed({1, 1, 16, 16});
  const SlabFourier fourier(space_of(image));
  CHECK_THROWS_WITH(fourier.forward(test::indexed({1, 1, 3, 5})),
                    test::contains("of the box [0, "));
  CHECK_THROWS_WITH(fourier.inverse(at::complex(test::indexed({1, 1, 3, 5}), image.new_zeros({}))),
                    test::contains("of the box [0, "));
}
