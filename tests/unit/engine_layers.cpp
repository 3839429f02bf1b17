// SPDX-License-Identifier: BSD-3-Clause
#include "catch.hpp"
#include "engine.hpp"

using namespace test;

namespace {

engine::Planes planes_of(const Tensor& x) {
  return {x.const_data_ptr<float>(), x.size(1), x.size(2), x.size(3)};
}

engine::Head head_of(const Tensor& weight, const Tensor& bias, bool relu) {
  engine::Head head;
  head.in_channels = weight.size(1);
  head.relu = relu;
  head.weights = engine::head_weights(weight.const_data_ptr<float>(),
                                      bias.defined() ? bias.const_data_ptr<float>() : nullptr,
                                      weight.size(0), weight.size(1));
  return head;
}

struct Shape {
  std::int64_t in, out, height, width;
};

std::vector<Shape> shapes() {
  std::vector<Shape> all = {{4, 64, 130, 70}, {2, 16, 1, 1},    {1, 1, 1, 9},
                            {130, 20, 5, 3},  {3, 130, 7, 101}, {17, 33, 49, 48}};
  for (std::int64_t i = 0; i < 8; ++i) all.push_back({i + 1, 30 + i, 16 + i, 40 - i});
  return all;
}

}  // namespace

TEST_CASE("Head equals LibTorch's convolution") {
  for (const Shape& s : shapes()) {
    for (const bool relu : {false, true}) {
      INFO(s.in << " to " << s.out << " channels, " << s.height << "x" << s.width);
      const Tensor x = noise({1, s.in, s.height, s.width}, 11);
      const Tensor weight = kernel({s.out, s.in, 3, 3}, 1);
      const Tensor bias = relu ? noise({s.out}, 12) : Tensor();
      Tensor expected = padded_conv(x, weight, bias);
      if (relu) expected = at::relu(expected);
      const engine::Head head = head_of(weight, bias, relu);
      const auto run = [&](int count) {
        const OwnedImage out({s.height, s.width}, s.out);
        const OwnedLanes memory(count, engine::head_scratch(head, s.width));
        engine::run_head(head, planes_of(x), out.view, memory.lanes);
        return out.tensor(s.out);
      };
      const Tensor result = run(1);
      CHECK(relative_error(result, expected) < layer_tolerance);
      CHECK(result.equal(run(4)));
    }
  }
}

TEST_CASE("Tail equals LibTorch's convolution, with and without the head around it") {
  for (const Shape& s : shapes()) {
    for (const bool skip : {false, true}) {
      const std::int64_t in = s.out;  // many to few
      const std::int64_t out = s.in;
      INFO(in << " to " << out << " channels, " << s.height << "x" << s.width << ", skip " << skip);
      const Tensor x = noise({1, in, s.height, s.width}, 13);
      const Tensor image = noise({1, 4, s.height, s.width}, 14);
      const Tensor head_weight = kernel({in, 4, 3, 3}, 1);
      const Tensor weight = kernel({out, in, 3, 3}, 2);
      const Tensor bias = noise({out}, 15);
      Tensor sum = x.to(at::kDouble);
      if (skip) sum = sum + padded_conv(image, head_weight);
      const Tensor expected = padded_conv(sum, weight, skip ? Tensor() : bias);

      const engine::Head head = head_of(head_weight, {}, false);
      engine::Tail tail;
      tail.out_channels = out;
      tail.weights = engine::tail_weights(weight.const_data_ptr<float>(), out, in);
      if (!skip) {
        tail.bias = engine::Buffer(out);
        std::copy_n(bias.const_data_ptr<float>(), out, tail.bias.data());
      }
      const OwnedImage features(x);
      const engine::Planes planes = planes_of(image);
      const auto run = [&](int count) {
        const Tensor result = at::zeros({1, out, s.height, s.width}, at::kFloat);
        const OwnedLanes memory(count, engine::tail_scratch(tail, skip ? &head : nullptr, s.width));
        engine::run_tail(tail, features.view, skip ? &head : nullptr, skip ? &planes : nullptr,
                         result.mutable_data_ptr<float>(), memory.lanes);
        return result;
      };
      const Tensor result = run(1);
      CHECK(relative_error(result, expected) < layer_tolerance);
      CHECK(result.equal(run(4)));
    }
  }
}

TEST_CASE("Steps between scales equal LibTorch's strided convolutions") {
  for (const Shape& s : shapes()) {
    INFO(s.in << " and " << s.out << " channels, coarse " << s.height << "x" << s.width);
    const Tensor fine = noise({1, s.in, 2 * s.height, 2 * s.width}, 16);
    const Tensor down = kernel({s.out, s.in, 2, 2}, 1);
    const Tensor coarse = noise({1, s.out, s.height, s.width}, 17);
    const Tensor skip = noise({1, s.out, s.height, s.width}, 18);
    const Tensor up = kernel({s.out, s.in, 2, 2}, 2);

    const OwnedLanes memory(2, engine::up_scratch(engine::padded_channels(s.out)));
    const OwnedImage fine_image(fine);
    const OwnedImage down_image({s.height, s.width}, s.out);
    engine::run_down(engine::down_weights(down.const_data_ptr<float>(), s.out, s.in),
                     fine_image.view, down_image.view, memory.lanes);
    CHECK(relative_error(down_image.tensor(s.out), down_conv(fine, down)) < layer_tolerance);

    const OwnedImage coarse_image(coarse);
    const OwnedImage skip_image(skip);
    const OwnedImage up_image({2 * s.height, 2 * s.width}, s.in);
    engine::run_up(engine::up_weights(up.const_data_ptr<float>(), s.out, s.in), coarse_image.view,
                   skip_image.view, up_image.view, memory.lanes);
    const Tensor sum = coarse.to(at::kDouble) + skip.to(at::kDouble);
    CHECK(relative_error(up_image.tensor(s.in), up_conv(sum, up)) < layer_tolerance);
  }
}
