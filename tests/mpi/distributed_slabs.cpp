// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/complex.h>
#include <ATen/ops/fft_irfftn.h>
#include <ATen/ops/fft_rfftn.h>
#include <ATen/ops/view_as_real.h>

#include "allocations.hpp"
#include "catch.hpp"
#include "distributed_parts.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/distributed/sharded_denoiser.hpp"
#include "tessera/distributed/slab_blur.hpp"
#include "tessera/distributed/slab_fourier.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/detail/convolution.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/physics/translation.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/solver/hqs.hpp"
#include "tessera/solver/pnp.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// Fourier transforms of images that ranks hold in boxes, on 1 to 8 ranks, beside those of the
// whole.
namespace {

BoxSpacePtr box_space_of(const Tensor& image, CommunicatorPtr ranks = test::world()) {
  return std::make_shared<BoxSpace>(std::move(ranks), image.sizes().slice(2).vec());
}

/// Odd, even and prime extents; fewer rows, and fewer frequencies along the second axis, than some
/// numbers of ranks.
std::vector<Tensor> images() {
  return {test::indexed({2, 3, 29, 37}), test::indexed({1, 1, 3, 40}),
          test::indexed({1, 2, 11, 3, 17})};
}

/// Kernels of no symmetry: shorter than the image, longer, one for each channel.
std::vector<Tensor> kernels_for(const Tensor& image) {
  Extents size = image.sizes().slice(2).vec();
  std::vector<Tensor> kernels;
  for (const std::int64_t more : {-1, 4}) {
    Extents shape = {1, more < 0 ? image.size(1) : 1};
    for (const std::int64_t extent : size) shape.push_back(extent + more);
    const Tensor kernel = test::indexed(shape, 1) + 0.2;
    kernels.push_back(kernel / kernel.abs().sum());
  }
  return kernels;
}

double error_of(const Tensor& spectrum, const Tensor& truth) {
  if (truth.numel() == 0) return spectrum.sizes() == truth.sizes() ? 0 : 1;
  return relative_error(at::view_as_real(spectrum), at::view_as_real(truth.contiguous()));
}

StackedPhysics whole_stack(const Tensor& image) {
  std::vector<LinearPhysicsPtr> blurs;
  for (const Tensor& kernel : kernels_for(image)) {
    blurs.push_back(std::make_shared<Blur>(kernel, Padding::circular));
  }
  return StackedPhysics(blurs);
}

StackedPhysics boxed_stack(const BoxSpacePtr& space, const Tensor& image) {
  std::vector<LinearPhysicsPtr> blurs;
  for (const Tensor& kernel : kernels_for(image)) blurs.push_back(slab_blur(space, kernel));
  return StackedPhysics(blurs);
}

}  // namespace

TEST_CASE("slabs of a spectrum are those of the whole image's") {
  for (const Tensor& image : images()) {
    INFO(to_string(image.sizes()));
    const BoxSpacePtr space = box_space_of(image);
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
  const BoxSpacePtr space = box_space_of(image, counting);
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
  const SlabFourier fourier(box_space_of(image));
  CHECK_THROWS_WITH(fourier.forward(test::indexed({1, 1, 3, 5})),
                    test::contains("of the box [0, "));
  CHECK_THROWS_WITH(fourier.inverse(at::complex(test::indexed({1, 1, 3, 5}), image.new_zeros({}))),
                    test::contains("of the box [0, "));
}

TEST_CASE("circular blurs of any length on boxes are the boxes of blurs") {
  for (const Tensor& image : images()) {
    const BoxSpacePtr space = box_space_of(image);
    const Tensor own = space->scatter(image);
    for (const Tensor& kernel : kernels_for(image)) {
      INFO(to_string(image.sizes()) << " by " << to_string(kernel.sizes()));
      const Blur whole(kernel, Padding::circular);
      const auto boxed = slab_blur(space, kernel);
      const Tensor y = boxed->forward(own).front();
      CHECK(relative_error(space->gather(y), whole.apply(image)) < 1e-13);
      const Tensor v = test::indexed(image.sizes(), 2);
      const Tensor back = boxed->adjoint({space->scatter(v)});
      CHECK(relative_error(space->gather(back), whole.apply_adjoint(v)) < 1e-13);
      CHECK(space->dot_each(y, space->scatter(v), 1).front() ==
            Approx(space->dot_each(own, back, 1).front())
                .margin(1e-13 * image.norm().item<double>() * v.norm().item<double>()));
    }
    // As large as the image, and nowhere whole.
    Extents shape = image.sizes().vec();
    shape[0] = 1;
    const Tensor kernel = test::indexed(shape, 3) / static_cast<double>(image[0][0].numel());
    const auto boxed = slab_blur_of_boxes(space, space->scatter(kernel));
    CHECK(relative_error(space->gather(boxed->forward(own).front()),
                         Blur(kernel, Padding::circular).apply(image)) < 1e-13);
  }
}

TEST_CASE("translations of boxes are the boxes of translations") {
  for (const Tensor& image : images()) {
    const BoxSpacePtr space = box_space_of(image);
    const std::vector<double> shift = {0.3, -1.7, 2.0};
    const Translation whole({shift.begin(), shift.begin() + image.dim() - 2});
    const auto shared = slab_translation(space, whole.shift());
    const Tensor own = space->scatter(image);
    CHECK(relative_error(shared->forward(own).front(), space->scatter(whole.apply(image))) < 1e-12);
    CHECK(relative_error(shared->adjoint({own}), space->scatter(whole.apply_adjoint(image))) <
          1e-12);
    CHECK_THROWS_AS(slab_translation(space, {0.5}), error::ShapeMismatch);
  }
}

TEST_CASE("float32 boxes are blurred in float32") {
  const Tensor image = test::indexed({1, 1, 24, 30}, 0, at::kFloat);
  const BoxSpacePtr space = box_space_of(image);
  const Tensor kernel = kernels_for(image).front();
  const auto boxed = slab_blur(space, kernel.to(at::kFloat));
  const Tensor y = boxed->forward(space->scatter(image)).front();
  CHECK(y.scalar_type() == at::kFloat);
  CHECK(relative_error(space->gather(y), Blur(kernel, Padding::circular).apply(image)) < 1e-6);
  CHECK(boxed->solve_normal(space->scatter(image), 0.1).scalar_type() == at::kFloat);
}

TEST_CASE("blurs that do not fit are refused on every rank") {
  const Tensor image = test::indexed({1, 2, 16, 18});
  const BoxSpacePtr space = box_space_of(image);
  CHECK_THROWS_WITH(slab_blur(space, test::indexed({3, 3})),
                    test::contains("the kernel is [3, 3] float64"));
  const auto boxed = slab_blur(space, test::indexed({1, 3, 3, 3}));
  CHECK_THROWS_WITH(boxed->forward(space->scatter(image)), test::contains("the kernel's spectrum"));
  CHECK_THROWS_WITH(boxed->norm_squared(test::indexed({1, 3, 40, 40})),
                    test::contains("the extents"));
  const auto fourier = std::make_shared<SlabFourier>(space);
  CHECK_THROWS_WITH(SlabBlur(fourier, test::indexed({1, 1, 2, 2})),
                    test::contains("expected complex (1 or B, 1 or C, ...)"));
}

TEST_CASE("norm and inverse of a stack on boxes are exact, a gradient is one pair of transforms") {
  const auto counting = std::make_shared<CountingCommunicator>(test::world());
  for (const Tensor& image : images()) {
    INFO(to_string(image.sizes()));
    const BoxSpacePtr space = box_space_of(image, counting);
    const StackedPhysics whole = whole_stack(image);
    const auto boxed = std::make_shared<StackedPhysics>(boxed_stack(space, image));
    const Tensor own = space->scatter(image);
    REQUIRE(boxed->has_exact_inverse(own));
    CHECK(boxed->norm_squared(own) == Approx(whole.norm_squared(image)).epsilon(1e-12));
    CHECK(relative_error(space->gather(boxed->solve_normal(own, 0.01)),
                         whole.solve_normal(image, 0.01)) < 1e-12);
    CHECK(relative_error(space->gather(boxed->normal(own)), whole.adjoint(whole.forward(image))) <
          1e-13);
    const L2 of_boxes(boxed, boxed->forward(own), own);
    counting->reset();
    of_boxes.gradient(own);
    CHECK(counting->data().calls == (counting->size() == 1 ? 0 : 4));
  }
  // Filters add up in one space alone.
  const Tensor image = test::indexed({1, 1, 24, 30});
  const Tensor own = box_space_of(image)->scatter(image);
  const Tensor kernel = kernels_for(image).front();
  const NormalFilter one = slab_blur(box_space_of(image), kernel)->normal_filter(own);
  const NormalFilter other = slab_blur(box_space_of(image), kernel)->normal_filter(own);
  CHECK_FALSE((one + other).defined());
  CHECK((one + one).norm_bound() == Approx(2 * one.norm_bound()));
  CHECK(relative_error((3.0 * one).apply(own), 3 * one.apply(own)) < 1e-14);
}

TEST_CASE("HQS and PnP with long kernels on boxes reach what they reach on whole images") {
  for (const Tensor& image :
       {test::indexed({1, 2, 23, 31}) / 10, test::indexed({1, 1, 7, 11, 13}) / 10}) {
    INFO(to_string(image.sizes()));
    const BoxSpacePtr space = box_space_of(image);
    const auto whole = std::make_shared<StackedPhysics>(whole_stack(image));
    const auto boxed = std::make_shared<StackedPhysics>(boxed_stack(space, image));
    const TensorList y = whole->forward(image);
    TensorList own;
    for (const Tensor& one : y) own.push_back(space->scatter(one));
    const L2 of_whole(whole, y, image);
    const L2 of_boxes(boxed, own, space->scatter(image));
    CHECK(of_boxes.is_fused());
    const Tensor x0 = 0.5 * y.front();
    CHECK(of_boxes.value(space->scatter(x0)) == Approx(of_whole.value(x0)).epsilon(1e-12));

    const auto denoiser = std::make_shared<test::LocalDenoiser>(2);
    const auto sharded =
        std::make_shared<ShardedDenoiser>(denoiser, space, TilingOptions{.tiling = Tiling::exact});
    PnPOptions pnp;  // the step is 1 over the exact norm
    pnp.stopping.max_iterations = 3;
    const PlugAndPlay fixed = PlugAndPlay::fixed(denoiser, NoiseLevel(0.1));
    const PlugAndPlay fixed_on_boxes = PlugAndPlay::fixed(sharded, NoiseLevel(0.1));
    CHECK(relative_error(
              space->gather(PnP(of_boxes, fixed_on_boxes, pnp).solve(space->scatter(x0)).x),
              PnP(of_whole, fixed, pnp).solve(x0).x) < 1e-12);

    const HqsOptions hqs{.schedule = HqsSchedule::dpir(0.05, 3)};
    const PlugAndPlay matched = PlugAndPlay::matched(denoiser);
    const PlugAndPlay matched_on_boxes = PlugAndPlay::matched(sharded);
    CHECK(relative_error(
              space->gather(HQS(of_boxes, matched_on_boxes, hqs).solve(space->scatter(x0)).x),
              HQS(of_whole, matched, hqs).solve(x0).x) < 1e-12);
  }
}

TEST_CASE("no tensor is as large as an image that ranks share out") {
  const Tensor image = test::indexed({1, 1, 120, 128});
  const BoxSpacePtr space = box_space_of(image);
  const Tensor own = space->scatter(image);
  const Tensor own_kernel = own / image.abs().sum();
  const test::LargestAllocation largest;
  const auto physics = std::make_shared<StackedPhysics>(
      std::vector<LinearPhysicsPtr>{slab_blur(space, test::indexed({1, 1, 31, 33}) / 1023),
                                    slab_blur_of_boxes(space, own_kernel)});
  const L2 fidelity(physics, physics->forward(own), own);
  physics->norm_squared(own);
  fidelity.value(0.5 * own);
  fidelity.prox(0.5 * own - fidelity.gradient(0.5 * own), 2.0);
  // A rank's share, by what rounding of planes up to whole ones adds to it.
  const double share = static_cast<double>(image.nbytes()) / test::world()->size();
  CHECK(static_cast<double>(largest.bytes()) > 0.9 * share);
  CHECK(static_cast<double>(largest.bytes()) < 1.2 * share);
}
