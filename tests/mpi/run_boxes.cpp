// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/ones.h>

#include <cmath>

#include "boxes.hpp"
#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/distributed/boxed_operators.hpp"
#include "tessera/metric/psnr.hpp"
#include "tessera/metric/ssim.hpp"
#include "tessera/run/preview.hpp"
#include "tessera/run/recorder.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// What watches runs on images that ranks share out.

TEST_CASE("A picture at the first rank is the image, or means over squares of it") {
  const Tensor image = test::indexed({1, 3, 29, 47}) / 10 + 1;
  const BoxSpacePtr space = test::boxes_for(image);
  for (const std::int64_t most : {47, 24, 12, 1}) {
    const Tensor picture = picture_at_root(*space, space->scatter(image), most);
    if (!test::world()->is_root()) {
      CHECK(picture.numel() == 0);
      continue;
    }
    const std::int64_t side = (47 + most - 1) / most;
    // Windows over the far ends count what there is of them.
    const Tensor expected = at::avg_pool2d(image, {side, side}, {side, side}, {0, 0}, true, false);
    CHECK(picture.sizes() == expected.sizes());
    CHECK(relative_error(picture.to(at::kDouble), expected) < 1e-6);
  }
  const BoxSpacePtr lines = test::boxes_for(test::indexed({1, 1, 64}));
  CHECK_THROWS_WITH(picture_at_root(*lines, test::indexed({1, 1, lines->local().extents()[0]})),
                    test::contains("expected (1, C, H, W)"));
}

TEST_CASE("A recorder of boxes has the metrics of the image, on every rank") {
  const Tensor truth = test::indexed({1, 3, 29, 47}) / 10;
  const Tensor x = truth + test::indexed(truth.sizes(), 1.7) / 100;
  const BoxSpacePtr space = test::boxes_for(truth);
  Recorder recorder({.truth = space->scatter(truth), .space = space});
  const Tensor own = space->scatter(x);
  recorder.on_start(own);
  recorder.on_iteration({.index = 0, .x = own});
  const MetricsRow& row = recorder.rows().front();
  CHECK(row.psnr == Approx(psnr(x, truth).item<double>()).epsilon(1e-10));
  CHECK(row.ssim == Approx(ssim(x, truth).item<double>()).epsilon(1e-10));
  // Where its window does not fit a box there is none.
  const Tensor flat = test::indexed({1, 1, 5, 64});
  const BoxSpacePtr narrow = test::boxes_for(flat);
  Recorder without({.truth = narrow->scatter(flat), .space = narrow});
  without.on_start(narrow->scatter(flat));
  without.on_iteration({.index = 0, .x = narrow->scatter(flat)});
  CHECK(std::isnan(without.rows().front().ssim));
}

TEST_CASE("What an operator measures has a space of its own") {
  const Tensor image = test::indexed({1, 2, 24, 36});
  const BoxSpacePtr space = test::boxes_for(image, {.alignment = 4});
  const auto check = [&](const BoxedOperator& one, const Tensor& whole) {
    const BoxSpacePtr measured = one.measured_space();
    CHECK(measured->extents() == one.measured_extents());
    CHECK(measured->local() == one.measured_box());
    CHECK(relative_error(measured->gather(one.forward(space->scatter(image)).front()), whole) <
          1e-12);
  };
  const Tensor kernel = at::ones({1, 1, 3, 5}, at::kDouble) / 15;
  check(*boxed_blur(space, kernel, Padding::valid),
        Blur(kernel, {.padding = Padding::valid}).apply(image));
  check(*boxed_downsampling(space, 2, kernel), Downsampling(2, kernel).apply(image));
}
