// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/denoiser/drunet.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include "catch.hpp"
#include "denoiser_expectations.hpp"
#include "networks.hpp"
#include "tessera/core/error.hpp"

using tessera::DRUNet;
using tessera::NetworkOptions;
using test::relative_error;
using test::Tensor;

namespace {

DRUNet reference_net() {
  return DRUNet(test::sine_weights(test::drunet_keys(3, {4, 6, 8, 10}, 2)));
}

}  // namespace

TEST_CASE(
    "DRUNet gives the reference numbers, at sizes that fit its grid and at small ones that do "
    "not") {
  const DRUNet net = reference_net();
  CHECK(net.architecture().channels == 3);
  CHECK(net.architecture().blocks == 2);
  CHECK(net.architecture().dimensions == 2);
  CHECK(net.architecture().widths == std::vector<std::int64_t>{4, 6, 8, 10});

  test::check_fingerprint(net.denoise(test::sine_image(3, 64, 64), 0.07),
                          {412.70325922839675,
                           46.62812036773099,
                           {-0.8377020285122424, -0.8093601476776419, -0.8777336277666236,
                            0.09937899607213914, 0.0002509499748406009}});
  test::check_fingerprint(net.denoise(test::sine_image(3, 40, 48), 0.07),
                          {302.2143050217362,
                           37.91745320178556,
                           {-0.837928711729224, -0.8100810220544863, -0.8779201817842499,
                            0.03721009218285802, -0.33094671641939}});
  test::check_fingerprint(net.denoise(test::sine_image(3, 30, 45), 0.07),
                          {43.727514115776145,
                           33.58173147975084,
                           {-0.8381840000144639, -0.8127498213647429, -0.8779480454239068,
                            0.07621287780627128, -1.4222660236546192}});
  // One extent that does not fit, with one below 64, extends both to multiples of 16.
  test::check_fingerprint(net.denoise(test::sine_image(3, 40, 45), 0.07),
                          {90.574549998139,
                           32.33052055617018,
                           {-0.8377056216769819, -0.8093795217245331, -0.8777359466114767,
                            0.08650976725831426, 0.25115633630790846}});
  test::check_fingerprint(net.denoise(test::sine_image(3, 48, 70), 0.07),
                          {448.1581360242075,
                           47.26048727239131,
                           {-0.837701344698286, -0.8093963863912158, -0.8777298806495147,
                            -0.08896541005423514, -0.007927817528672537}});
}

TEST_CASE("DRUNet takes volumes") {
  const DRUNet net(test::sine_weights(test::drunet_keys(1, {2, 3, 4, 5}, 1, 3)));
  CHECK(net.architecture().dimensions == 3);
  const Tensor x = test::indexed({2, 1, 20, 18, 33});
  test::check_fingerprint(net.denoise(x, at::tensor({0.05, 0.1}, at::kDouble)),
                          {299.621809114373,
                           77.84132523572636,
                           {0.3153057559734942, 0.2800098869255968, 0.5947329846434356,
                            -0.23006995653231194, -0.7375592748568471}});
}

TEST_CASE("DRUNet extends large images to its grid, without a seam, and crops") {
  const DRUNet net = reference_net();
  const std::vector<std::pair<std::int64_t, std::int64_t>> sizes{{70, 66}, {130, 100}, {64, 129}};
  for (const auto& [height, width] : sizes) {
    CAPTURE(height, width);
    const Tensor x = test::sine_image(3, height, width);
    const std::int64_t down = (8 - height % 8) % 8;
    const std::int64_t right = (8 - width % 8) % 8;
    const Tensor extended = at::pad(x, {0, right, 0, down}, "replicate");
    const Tensor expected = net.denoise(extended, 0.07).narrow(2, 0, height).narrow(3, 0, width);
    const Tensor result = net.denoise(x, 0.07);
    CHECK(result.is_contiguous());
    CHECK(relative_error(result, expected) < 1e-14);
  }
}

TEST_CASE(
    "DRUNet treats a number, one level per image and a map alike, and images of a batch apart") {
  const DRUNet net = reference_net();
  const Tensor x = test::indexed({3, 3, 35, 40});
  const Tensor before = x.clone();
  const Tensor by_number = net.denoise(x, 0.05);
  CHECK(x.equal(before));
  CHECK(relative_error(net.denoise(x, at::full({3}, 0.05, at::kDouble)), by_number) < 1e-14);
  CHECK(relative_error(net.denoise(x, at::full({1, 1, 35, 40}, 0.05, at::kDouble)), by_number) <
        1e-14);

  const Tensor levels = at::tensor({0.02, 0.05, 0.3}, at::kDouble);
  const Tensor together = net.denoise(x, levels);
  for (std::int64_t i = 0; i < 3; ++i) {
    CHECK(relative_error(together.narrow(0, i, 1),
                         net.denoise(x.narrow(0, i, 1), levels[i].item<double>())) < 1e-13);
  }
  CHECK(relative_error(together, by_number) > 1e-4);

  const Tensor map = 0.1 + 0.05 * test::indexed({3, 1, 35, 40});
  CHECK(relative_error(net.denoise(x, map).narrow(0, 2, 1),
                       net.denoise(x.narrow(0, 2, 1), map.narrow(0, 2, 1))) < 1e-13);
}

TEST_CASE("DRUNet is homogeneous: D(c x, c sigma) = c D(x, sigma)") {
  const DRUNet net = reference_net();
  const Tensor x = test::indexed({1, 3, 32, 40});
  CHECK(relative_error(net.denoise(3.7 * x, 3.7 * 0.05), 3.7 * net.denoise(x, 0.05)) < 1e-13);
}

TEST_CASE("DRUNet computes in the image's type or in the one asked for") {
  const auto weights = test::sine_weights(test::drunet_keys(3, {4, 6, 8, 10}, 2));
  const DRUNet net(weights);
  const Tensor x = test::sine_image(3, 64, 72);
  const Tensor exact = net.denoise(x, 0.07);
  const Tensor single = net.denoise(x.to(at::kFloat), 0.07);
  CHECK(single.scalar_type() == at::kFloat);
  CHECK(relative_error(single, exact) < 2e-6);
  CHECK(relative_error(single, exact) > 0);

  NetworkOptions options;
  options.compute_type = at::kFloat;
  const Tensor converted = DRUNet(weights, options).denoise(x, 0.07);
  CHECK(converted.scalar_type() == at::kDouble);
  CHECK(converted.to(at::kFloat).equal(single));

  options.compute_type = at::kLong;
  CHECK_THROWS_AS(DRUNet(weights, options), tessera::error::InvalidArgument);
}

TEST_CASE("DRUNet refuses images that it cannot take") {
  const DRUNet net = reference_net();
  CHECK_THROWS_WITH(
      net.denoise(test::indexed({1, 1, 40, 40}), 0.1),
      test::contains("drunet.denoise: x is [1, 1, 40, 40] float64 on cpu, expected 3 channels"));
  CHECK_THROWS_AS(net.denoise(test::indexed({1, 3, 4, 40, 40}), 0.1),
                  tessera::error::ShapeMismatch);
}

TEST_CASE("DRUNet used in inference mode first can still be differentiated") {
  auto weights = test::sine_weights(test::drunet_keys(1, {2, 3}, 1));
  {
    const c10::InferenceMode inference;
    for (auto& [key, tensor] : weights) tensor = tensor.to(at::kFloat).clone();
  }
  const DRUNet net(weights);
  Tensor x = test::indexed({1, 1, 8, 8});
  Tensor plain;
  {
    const c10::InferenceMode inference;
    plain = net.denoise(x, 0.1).clone();
  }
  x.requires_grad_();
  const Tensor result = net.denoise(x, 0.1);
  CHECK(relative_error(result.detach(), plain) < 1e-14);
  result.sum().backward();
  CHECK(x.grad().norm().item<double>() > 0);
}

TEST_CASE("DRUNet's derivatives agree with finite differences") {
  auto weights = test::sine_weights(test::drunet_keys(2, {2, 3}, 1));
  for (auto& [key, tensor] : weights) tensor.requires_grad_();
  const DRUNet net(weights);
  Tensor x = test::indexed({2, 2, 7, 6});  // extended to 8x8
  Tensor sigma = 0.2 + 0.1 * test::indexed({2, 1, 7, 6}, 0.4);
  const Tensor direction_x = test::indexed({2, 2, 7, 6}, 1.3);
  const Tensor direction_sigma = test::indexed({2, 1, 7, 6}, 2.1);
  const Tensor seed = test::indexed({2, 2, 7, 6}, 0.9);
  x.requires_grad_();
  sigma.requires_grad_();
  (net.denoise(x, sigma) * seed).sum().backward();

  const double h = 1e-6;
  const auto directional = [&](const auto& shifted) {
    return (shifted(h) - shifted(-h)) / (2 * h);
  };
  const auto value = [&](const Tensor& image, const Tensor& level) {
    return (net.denoise(image.detach(), level.detach()) * seed).sum().item<double>();
  };
  CHECK((x.grad() * direction_x).sum().item<double>() == Approx(directional([&](double t) {
                                                           return value(x + t * direction_x, sigma);
                                                         })).epsilon(1e-7));
  CHECK((sigma.grad() * direction_sigma).sum().item<double>() ==
        Approx(directional([&](double t) {
          return value(x, sigma + t * direction_sigma);
        })).epsilon(1e-7));

  for (const std::string key :
       {"m_head.weight", "m_down1.1.weight", "m_body.0.res.2.weight", "m_up1.0.weight"}) {
    CAPTURE(key);
    const Tensor direction = test::indexed(weights[key].sizes(), 0.2);
    const auto shifted = [&](double t) {
      auto changed = weights;
      changed[key] = weights[key].detach() + t * direction;
      return (DRUNet(changed).denoise(x.detach(), sigma.detach()) * seed).sum().item<double>();
    };
    CHECK((weights[key].grad() * direction).sum().item<double>() ==
          Approx(directional(shifted)).epsilon(1e-7));
  }
}

TEST_CASE(
    "DRUNet's reach is the largest distance at which an input pixel matters, at some position") {
  struct Case {
    std::vector<std::int64_t> widths;
    std::int64_t blocks;
    std::int64_t reach;  // 0: not known in advance
  };
  for (const Case& net_case :
       {Case{{3}, 2, 6}, Case{{3, 3}, 1, 0}, Case{{3, 3, 3}, 2, 0}, Case{{3, 3, 3, 3}, 1, 0}}) {
    const DRUNet net(test::sine_weights(test::drunet_keys(1, net_case.widths, net_case.blocks)));
    const std::int64_t reach = *net.reach();
    if (net_case.reach != 0) CHECK(reach == net_case.reach);
    const std::int64_t grid = net.alignment();
    CHECK(grid == std::int64_t{1} << (net_case.widths.size() - 1));
    const std::int64_t centre = (reach / grid + 2) * grid;
    const std::int64_t width = std::max<std::int64_t>(2 * centre + 2 * grid, 32);
    std::int64_t farthest = 0;
    for (std::int64_t pixel = centre; pixel < centre + grid; ++pixel) {
      // Rows are few: along columns every path is still there.
      Tensor x =
          test::indexed({1, 1, 32, width}, 0.3 * static_cast<double>(pixel)).requires_grad_();
      net.denoise(x, 0.1).select(3, pixel).sum().backward();
      const Tensor touched = x.grad().abs().sum({0, 1, 2}).nonzero().reshape({-1});
      const std::int64_t first = touched[0].item<std::int64_t>();
      const std::int64_t last = touched[-1].item<std::int64_t>();
      farthest = std::max({farthest, pixel - first, last - pixel});
    }
    CAPTURE(net_case.widths.size(), net_case.blocks);
    CHECK(farthest == reach);
  }
}

TEST_CASE("DRUNet's reach is known for the published depth") {
  // Four scales, four blocks: 178 to 185 pixels by position modulo 8.
  const DRUNet net(test::sine_weights(test::drunet_keys(3, {2, 2, 2, 2}, 4)));
  CHECK(net.reach() == 185);
  CHECK(net.alignment() == 8);
}

TEST_CASE(
    "DRUNet on a crop with aligned origin and enough context reproduces the whole image's result") {
  const DRUNet net(test::sine_weights(test::drunet_keys(1, {3, 3, 3}, 1)));
  const std::int64_t context = (*net.reach() + 3) / 4 * 4;
  const Tensor x = test::indexed({1, 1, 36, 40 + 2 * context + 24});
  const Tensor whole = net.denoise(x, 0.1);
  const auto crop = [&](std::int64_t origin) {
    const Tensor part = net.denoise(x.narrow(3, origin, 40 + 2 * context), 0.1);
    return relative_error(part.narrow(3, context, 40), whole.narrow(3, origin + context, 40));
  };
  CHECK(crop(8) < 1e-14);
  CHECK(crop(12) < 1e-14);
  CHECK(crop(9) > 1e-4);  // off the grid
}

TEST_CASE("DRUNet's memory estimate counts the features alive in a block") {
  const DRUNet net(test::sine_weights(test::drunet_keys(3, {4, 6, 8, 10}, 2)),
                   {.engine = tessera::Engine::reference, .compute_type = {}});
  CHECK(*net.memory_estimate({2, 3, 64, 64}) == 2.0 * 64 * 64 * 16);
  CHECK(*net.memory_estimate({1, 3, 65, 64}) == 72.0 * 64 * 16);
  CHECK_FALSE(net.memory_estimate({1, 3, 8, 64, 64}));
}
