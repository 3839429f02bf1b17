// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include "boxes.hpp"
#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/distributed/boxed_operators.hpp"
#include "tessera/distributed/boxed_stack.hpp"
#include "tessera/physics/algebra.hpp"
#include "tessera/physics/finite_differences.hpp"
#include "tessera/physics/poisson_noise.hpp"
#include "tessera/physics/salt_and_pepper_noise.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// Operators on images that ranks hold in boxes, on 1 to 5 ranks, beside the same on whole images.
namespace {

/// `extent` elements along each of `axes` axes, of no symmetry, after these leading dimensions.
Tensor kernel_of(Extents leading, std::int64_t axes, std::int64_t extent, double phase = 0) {
  for (std::int64_t d = 0; d < axes; ++d) leading.push_back(extent + d % 2);
  const Tensor kernel = test::indexed(leading, phase) + 1;
  return kernel / kernel.sum();
}

/// This rank's part of a measurement that ranks hold as `one` says.
Tensor part_of_measurement(const BoxedOperator& one, const Tensor& whole) {
  return part_of(whole, whole_box(one.measured_extents()), one.measured_box()).contiguous();
}

/// Forward and adjoint of `boxed` on this rank's box are parts of those of `whole`.
void check_parts(const LinearPhysics& boxed, const LinearPhysics& whole, const BoxSpace& space,
                 const Tensor& image, const BoxedOperator& last) {
  const Tensor own = space.scatter(image);
  const Tensor y = whole.forward(image).front();
  CHECK(relative_error(boxed.forward(own).front(), part_of_measurement(last, y)) < 1e-13);
  const Tensor v = test::indexed(y.sizes(), 0.4);
  const Tensor folded = boxed.adjoint({part_of_measurement(last, v)});
  CHECK(relative_error(space.gather(folded), whole.adjoint({v})) < 1e-13);

  const Tensor mine = test::indexed(boxed.forward(own).front().sizes(), test::world()->rank());
  const double there = space.dot_each(boxed.forward(own).front(), mine, 1).front();
  const double back = space.dot_each(own, boxed.adjoint({mine}), 1).front();
  const double size = space.norm_each(own, 1).front() * space.norm_each(mine, 1).front();
  CHECK(there == Approx(back).margin(1e-12 * size));
}

}  // namespace

TEST_CASE("masks, differences and their chains with blurs are parts of whole ones") {
  for (const Tensor& image : test::images_to_share()) {
    const BoxSpacePtr space = test::boxes_for(image);
    const std::int64_t axes = image.dim() - 2;
    const auto differences = boxed_differences(space);
    check_parts(*differences, FiniteDifferences(), *space, image, *differences);
    CHECK(differences->norm_squared(space->scatter(image)) ==
          FiniteDifferences().norm_squared(image));

    const Tensor mask = test::indexed(image.sizes().slice(1), 2.0).unsqueeze(0);
    const auto boxed = boxed_mask(space, space->scatter(mask));
    const auto whole = std::make_shared<Masking>(mask);
    check_parts(*boxed, *whole, *space, image, *boxed);

    const Tensor kernel = kernel_of({1, 1}, axes, 4);
    const LinearPhysicsPtr chain = compose(boxed, boxed_blur(space, kernel, Padding::reflect));
    const LinearPhysicsPtr whole_chain =
        compose(whole, std::make_shared<Blur>(kernel, Padding::reflect));
    check_parts(*chain, *whole_chain, *space, image, *boxed);
    check_parts(*sum({chain, boxed}), *sum({whole_chain, whole}), *space, image, *boxed);
    CHECK(&chain->space() == space.get());
    CHECK_THROWS_WITH(compose(whole, boxed), test::contains("expected one space"));
  }
  const Tensor image = test::indexed({1, 1, 8, 16});
  CHECK_THROWS_WITH(boxed_mask(test::boxes_for(image), test::indexed({1, 1, 8, 17})),
                    test::contains("boxed_mask: the mask is [1, 1, 8, 17]"));
}

TEST_CASE("downsampling of aligned boxes is that of the image") {
  for (const Extents& shape : {Extents{2, 1, 27, 39}, Extents{1, 2, 9, 12, 15}}) {
    const Tensor image = test::indexed(shape);
    const BoxSpacePtr space = test::boxes_for(image, {.alignment = 3});
    const Tensor kernel = kernel_of({1, 1}, image.dim() - 2, 3);
    for (const Padding padding : {Padding::circular, Padding::replicate, Padding::constant}) {
      INFO(to_string(padding));
      const auto boxed = boxed_downsampling(space, 3, kernel, padding);
      const Downsampling whole(3, kernel, BlurOptions{padding, {}});
      check_parts(*boxed, whole, *space, image, *boxed);
    }
  }
  const Tensor kernel = kernel_of({1, 1}, 2, 3);
  const Tensor image = test::indexed({1, 1, 30, 30});
  CHECK_THROWS_WITH(boxed_downsampling(test::boxes_for(image), 4, kernel),
                    test::contains("expected multiples of 4"));
  CHECK_THROWS_WITH(boxed_downsampling(test::boxes_for(image), 3, kernel, Padding::valid),
                    test::contains("padding other than valid"));
  const auto odd = std::make_shared<BoxSpace>(
      test::world(), Extents{30, 20 * test::world()->size()},
      BoxSpaceOptions{.grid = {1, test::world()->size()}, .alignment = 16});
  if (test::world()->size() > 1) {
    CHECK_THROWS_WITH(boxed_downsampling(odd, 10, kernel),
                      test::contains("BoxSpaceOptions::alignment = 10"));
  }
}

TEST_CASE("a blur that varies is placed in the image, not in the box") {
  for (const Tensor& image : test::images_to_share()) {
    const BoxSpacePtr space = test::boxes_for(image);
    const std::int64_t axes = image.dim() - 2;
    Extents leading(static_cast<std::size_t>(axes), 3);
    leading.push_back(1);
    const Tensor kernels = kernel_of(leading, axes, 3);
    for (const Padding padding : {Padding::circular, Padding::reflect, Padding::valid}) {
      INFO(to_string(padding));
      const auto boxed = boxed_space_varying_blur(space, kernels, padding);
      const SpaceVaryingBlur whole(kernels, BlurOptions{padding, {}});
      check_parts(*boxed, whole, *space, image, *boxed);
    }
  }
}

TEST_CASE("noise of boxes is the part of noise, to the bit") {
  const PoissonNoiseOptions photons{.gain = 0.02, .readout = 0.01, .seed = 5, .stream = 3};
  const std::vector<NoisePtr> noises = {
      std::make_shared<GaussianNoise>(0.1, 7, std::nullopt, 2),
      std::make_shared<PoissonNoise>(photons),
      std::make_shared<SaltAndPepperNoise>(SaltAndPepperNoiseOptions{.fraction = 0.3, .seed = 1})};
  for (const Tensor& image : test::images_to_share()) {
    const Tensor positive = 2 + image;
    const BoxSpacePtr space = test::boxes_for(image);
    for (const NoisePtr& noise : noises) {
      const Tensor own = space->scatter(positive);
      const ElementNumbers numbers(own.sizes(), space->local(), space->extents());
      CHECK(at::equal(noise->add(own, numbers), space->scatter(noise->add(positive))));
    }
    for (const Padding padding : {Padding::reflect, Padding::valid}) {
      INFO(to_string(padding));
      const Tensor kernel = kernel_of({1, 1}, image.dim() - 2, 3);
      const auto boxed = boxed_blur(space, kernel, padding);
      boxed->set_noise(noises.front());
      Blur whole(kernel, padding);
      whole.set_noise(noises.front());
      const Tensor expected = part_of_measurement(*boxed, whole.measure(positive).front());
      const Tensor own = space->scatter(positive);
      CHECK(relative_error(boxed->measure(own).front(), expected) < 1e-14);
      CHECK(relative_error(BoxedStack({boxed}).measure(own).front(), expected) < 1e-14);
    }
  }
}

TEST_CASE("a stack exchanges the largest halo once") {
  const auto counting = std::make_shared<CountingCommunicator>(test::world());
  for (const Tensor& image : test::images_to_share()) {
    const std::int64_t axes = image.dim() - 2;
    const auto space = std::make_shared<BoxSpace>(counting, image.sizes().slice(2).vec());
    const std::int64_t exchanges = test::world()->size() > 1 ? 1 : 0;
    for (const Padding padding : {Padding::circular, Padding::reflect, Padding::valid}) {
      INFO(to_string(padding));
      std::vector<BoxedOperatorPtr> operators;
      for (const std::int64_t extent : {2, 5, 3}) {
        operators.push_back(boxed_blur(space, kernel_of({1, 1}, axes, extent), padding));
      }
      operators.push_back(boxed_mask(space, space->scatter(image.narrow(0, 0, 1))));
      const BoxedStack stack(operators);
      const Tensor own = space->scatter(image);
      counting->reset();
      const TensorList y = stack.forward(own);
      CHECK(counting->data(Collective::exchange).calls == exchanges);
      counting->reset();
      const Tensor back = stack.adjoint(y);
      CHECK(counting->data(Collective::exchange).calls == exchanges);

      Tensor expected;
      for (std::size_t i = 0; i < operators.size(); ++i) {
        CHECK(at::equal(y[i], operators[i]->forward(own).front()));
        const Tensor part = operators[i]->adjoint({y[i]});
        expected = expected.defined() ? expected + part : part;
      }
      CHECK(relative_error(back, expected) < 1e-14);
    }
  }
}
