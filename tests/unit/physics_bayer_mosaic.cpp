// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/physics/bayer_mosaic.hpp"

#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tessera/core/error.hpp"

using namespace tessera;

TEST_CASE("BayerMosaic keeps one colour at each pixel and is exactly transposed", "[physics]") {
  for (const std::string pattern : {"RGGB", "BGGR", "GRBG", "GBRG"}) {
    CAPTURE(pattern);
    const BayerMosaic mosaic(pattern);
    CHECK(mosaic.pattern() == pattern);
    for (const Extents& extents : std::vector<Extents>{{7, 9}, {4, 6}, {1, 5}, {3, 1}}) {
      const Tensor x = test::random({2, 3, extents[0], extents[1]}, 1);
      const Tensor y = mosaic.apply(x);
      REQUIRE(y.sizes() == at::IntArrayRef({2, 1, extents[0], extents[1]}));
      for (std::int64_t r = 0; r < extents[0]; ++r) {
        for (std::int64_t c = 0; c < extents[1]; ++c) {
          const char colour = pattern[static_cast<std::size_t>(2 * (r % 2) + c % 2)];
          const std::int64_t channel = colour == 'R' ? 0 : colour == 'G' ? 1 : 2;
          CHECK(y[1][0][r][c].item<double>() == x[1][channel][r][c].item<double>());
        }
      }
      CHECK(adjoint_error(mosaic, x) < 1e-15);
      CHECK(adjoint_error(mosaic, x.to(at::kFloat)) < 1e-6);
      CHECK(mosaic.apply(mosaic.apply_adjoint(y)).equal(y));
      CHECK(mosaic.normal(x).ne(0).sum().item<std::int64_t>() == y.numel());
    }
  }
}

TEST_CASE("BayerMosaic: norm, two steps of conjugate gradients, gradients", "[physics]") {
  const BayerMosaic mosaic("GRBG");
  const Tensor x = test::random({2, 3, 7, 6}, 1);
  CHECK(mosaic.norm_squared(x) == 1.0);
  const ConjugateGradientResult result = mosaic.normal_solution(x, 0.25, {.tolerance = 1e-13});
  for (const auto& image : result.images) CHECK(image.iterations <= 2);
  const Tensor seen = mosaic.normal(x);
  CHECK(test::relative_error(result.x, seen / 1.25 + (x - seen) / 0.25) < 1e-13);
  CHECK(mosaic.pseudo_inverse({mosaic.apply(x)}).allclose(seen));

  const Tensor input = x.clone().requires_grad_(true);
  const Tensor v = test::random({2, 1, 7, 6}, 2);
  CHECK(torch::autograd::grad({mosaic.apply(input)}, {input}, {v})
            .front()
            .equal(mosaic.apply_adjoint(v)));
}

TEST_CASE("BayerMosaic says what does not fit", "[physics]") {
  const BayerMosaic mosaic;
  CHECK_THROWS_WITH(mosaic.apply(test::random({1, 1, 4, 4}, 1)),
                    test::contains("bayer_mosaic.forward: x") && test::contains("(B, 3, H, W)"));
  CHECK_THROWS_AS(mosaic.apply(test::random({1, 3, 4, 4, 4}, 1)), error::ShapeMismatch);
  CHECK_THROWS_WITH(mosaic.apply_adjoint(test::random({1, 3, 4, 4}, 1)),
                    test::contains("bayer_mosaic.adjoint: v"));
  CHECK_THROWS_WITH(BayerMosaic("RGBG"), test::contains("'RGBG'"));
}
