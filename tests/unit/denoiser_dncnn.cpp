// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/denoiser/dncnn.hpp"

#include <ATen/ops/full.h>

#include "catch.hpp"
#include "denoiser_expectations.hpp"
#include "networks.hpp"
#include "tessera/core/error.hpp"

using tessera::DnCNN;
using test::relative_error;
using test::Tensor;

TEST_CASE("DnCNN gives the reference numbers") {
  const DnCNN net(test::sine_weights(test::dncnn_keys(3, 6, 5, true)));
  CHECK(net.architecture().depth == 5);
  CHECK(net.architecture().width == 6);
  CHECK(net.architecture().channels == 3);
  CHECK(net.architecture().has_bias);
  CHECK(net.reach() == 5);
  CHECK(net.alignment() == 1);
  CHECK(net.parameter_count() == 3 * 6 * 9 + 6 + 3 * (6 * 6 * 9 + 6) + 6 * 3 * 9 + 3);
  const Tensor x = test::sine_image(3, 17, 23);
  const Tensor before = x.clone();
  test::check_fingerprint(net.denoise(x, 0.1),
                          {428.6504684852651,
                           35.45942944114419,
                           {1.133318681350949, 0.9733053003012349, 1.5921088133972,
                            0.2463226403806823, 1.453538552821167}});
  CHECK(x.equal(before));
  CHECK(relative_error(net.denoise(x.to(at::kFloat), 0.1), net.denoise(x, 0.1)) < 2e-6);
}

TEST_CASE("DnCNN works on volumes and without biases") {
  const DnCNN net(test::sine_weights(test::dncnn_keys(1, 3, 4, false, 3)));
  CHECK(net.architecture().dimensions == 3);
  CHECK_FALSE(net.architecture().has_bias);
  test::check_fingerprint(net.denoise(test::indexed({2, 1, 5, 6, 7}), 0.1),
                          {-0.2714095867895726,
                           15.43162147130644,
                           {0.08368637379018551, 0.7419964269838326, -0.829658041248071,
                            0.5471518259350159, -1.003424288095182}});
}

TEST_CASE("DnCNN ignores the noise level, and images of a batch do not mix") {
  const DnCNN net(test::sine_weights(test::dncnn_keys(2, 4, 3, true)));
  const Tensor x = test::indexed({3, 2, 9, 11});
  const Tensor together = net.denoise(x, 0.1);
  CHECK(net.denoise(x, 0.7).equal(together));
  CHECK_FALSE(net.follows_level());
  CHECK(net.denoise(x, at::full({1, 1, 9, 11}, 0.2, at::kDouble)).equal(together));
  CHECK(relative_error(net.denoise(x.narrow(0, 1, 1), 0.1), together.narrow(0, 1, 1)) < 1e-14);
  CHECK_THROWS_AS(net.denoise(x, at::full({2}, 0.2, at::kDouble)), tessera::error::ShapeMismatch);
  CHECK_THROWS_WITH(net.denoise(test::indexed({1, 3, 9, 11}), 0.1),
                    test::contains("expected 2 channels"));
}

TEST_CASE("DnCNN's reach is its depth, exactly") {
  const DnCNN net(test::sine_weights(test::dncnn_keys(1, 4, 6, true)));
  Tensor x = test::indexed({1, 1, 9, 41}).requires_grad_();
  net.denoise(x, 0.1).select(3, 20).sum().backward();
  const Tensor touched = x.grad().abs().sum({0, 1, 2}).nonzero().reshape({-1});
  CHECK(touched[0].item<std::int64_t>() == 20 - *net.reach());
  CHECK(touched[-1].item<std::int64_t>() == 20 + *net.reach());
}

TEST_CASE("DnCNN's derivative agrees with finite differences") {
  const DnCNN net(test::sine_weights(test::dncnn_keys(1, 3, 4, true)));
  Tensor x = test::indexed({1, 1, 6, 7}).requires_grad_();
  const Tensor seed = test::indexed({1, 1, 6, 7}, 0.8);
  const Tensor direction = test::indexed({1, 1, 6, 7}, 1.9);
  (net.denoise(x, 0.1) * seed).sum().backward();
  const double h = 1e-6;
  const auto value = [&](double t) {
    return (net.denoise(x.detach() + t * direction, 0.1) * seed).sum().item<double>();
  };
  CHECK((x.grad() * direction).sum().item<double>() ==
        Approx((value(h) - value(-h)) / (2 * h)).epsilon(1e-7));
}
