// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>

#include <atomic>
#include <set>
#include <thread>

#include "catch.hpp"
#include "engine/kernels.hpp"
#include "engine/network.hpp"
#include "engine_reference.hpp"
#include "tessera/core/error.hpp"

using namespace test;

namespace {

/// Runs with a number of threads, until the end of the scope.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_;
};

}  // namespace

TEST_CASE("at::parallel_for, which the engine relies on, runs in parallel in this build") {
  const Threads threads(2);
  std::set<std::thread::id> seen;
  std::mutex mutex;
  std::atomic<int> arrived{0};
  at::parallel_for(0, 2, 1, [&](std::int64_t, std::int64_t) {
    {
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
    }
    ++arrived;
  });
  CHECK(arrived == 2);
  CHECK(seen.size() == 2);
}

TEST_CASE("A compiled DRUNet equals the formula in float64") {
  struct Case {
    std::vector<std::int64_t> widths;
    std::int64_t blocks, channels, height, width;
  };
  const std::vector<Case> cases = {{{4, 6, 8, 10}, 2, 3, 64, 64}, {{16, 32, 64, 128}, 2, 3, 40, 88},
                                   {{64, 128}, 1, 1, 34, 22},     {{17}, 2, 3, 13, 9},
                                   {{33, 7, 50}, 3, 2, 8, 4},     {{16, 16}, 0, 3, 10, 12}};
  for (const Case& c : cases) {
    INFO(c.widths.size() << " scales, " << c.widths[0] << " channels, " << c.height << "x"
                         << c.width);
    const ReferenceDrunet reference(c.widths, c.blocks, c.channels);
    const double tolerance = GENERATE(0.0, 1.0);  // tiles of four, tiles of six where they pay
    const auto network = engine::compile_drunet(
        reference.weights, static_cast<std::int64_t>(c.widths.size()), c.blocks, {tolerance});
    const Tensor x = noise({3, c.channels + 1, c.height, c.width}, 11);
    const Tensor result = network->run(x);
    const Tensor expected = reference(x);
    for (std::int64_t i = 0; i < 3; ++i) CHECK(relative_error(result[i], expected[i]) < 2e-6);
  }
}

TEST_CASE("The full DRUNet at 256x256 is as accurate as float32 allows", "[.slow]") {
  const ReferenceDrunet reference({64, 128, 256, 512}, 4, 3);
  const double tolerance = GENERATE(0.0, 1.0);
  const auto network = engine::compile_drunet(reference.weights, 4, 4, {tolerance});
  at::Generator generator = at::detail::createCPUGenerator(3);
  const Tensor x = at::rand({1, 4, 256, 256}, generator, at::TensorOptions().dtype(at::kFloat));
  const double error = relative_error(network->run(x), reference(x));
  WARN("relative error " << error << ", " << network->summary());
  CHECK(error < 2e-6);
}

TEST_CASE("A compiled DnCNN equals the formula in float64") {
  for (const std::int64_t depth : {2, 3, 6, 7}) {
    for (const bool has_bias : {true, false}) {
      for (const std::int64_t width : {64, 20}) {
        INFO("depth " << depth << ", bias " << has_bias << ", width " << width);
        at::Generator generator = at::detail::createCPUGenerator(5);
        std::vector<Tensor> weights;
        const Tensor x = noise({2, 3, 37, 50}, 12);
        Tensor expected = x;
        for (std::int64_t i = 0; i < depth; ++i) {
          const std::int64_t in = i == 0 ? 3 : width;
          const std::int64_t out = i + 1 == depth ? 3 : width;
          const Tensor weight = default_init({out, in, 3, 3}, generator);
          const Tensor bias = has_bias ? noise({out}, static_cast<std::uint64_t>(i)) : Tensor();
          weights.push_back(weight);
          if (has_bias) weights.push_back(bias);
          expected = padded_conv(expected, weight, bias);
          if (i + 1 < depth) expected = at::relu(expected);
        }
        CHECK(relative_error(engine::compile_dncnn(weights, has_bias)->run(x), expected) < 4e-6);
        CHECK(relative_error(engine::compile_dncnn(weights, has_bias, {1.0})->run(x), expected) <
              1e-5);
      }
    }
  }
}

TEST_CASE("The result's bits depend neither on the number of threads nor on earlier calls") {
  const ReferenceDrunet reference({64, 80, 96}, 2, 3);
  const auto network = engine::compile_drunet(reference.weights, 3, 2, {GENERATE(0.0, 1.0)});
  const Tensor x = noise({2, 4, 100, 132}, 14);
  const Tensor other = noise({1, 4, 40, 40}, 15);
  const Tensor first = network->run(x);
  for (const int count : {1, 2, 3, 4, 7}) {
    const Threads threads(count);
    INFO(count << " threads");
    network->run(other);
    CHECK(network->run(x).equal(first));
  }
}

TEST_CASE("Tiles of six are taken where the measured difference allows it, and it is said") {
  ReferenceDrunet reference({16, 32}, 1, 3);
  const Tensor x = noise({1, 4, 40, 44}, 16);
  const auto fine = engine::compile_drunet(reference.weights, 2, 1);
  const auto coarse = engine::compile_drunet(reference.weights, 2, 1, {1.5e-6});
  const auto refused = engine::compile_drunet(reference.weights, 2, 1, {1e-9});
  CHECK(fine->summary() == std::string(engine::instruction_set()) + ", tiles of 4");
  CHECK_THAT(coarse->summary(), contains("tiles of 6 and 4"));
  CHECK_THAT(refused->summary(), contains("tiles of 4 ("));
  CHECK(refused->run(x).equal(fine->run(x)));
  CHECK_FALSE(coarse->run(x).equal(fine->run(x)));
  CHECK(relative_error(coarse->run(x), fine->run(x)) < 1.5e-6);

  // Results that are not numbers are no reason to trust the larger tiles.
  reference.weights[1].fill_(1e38);
  CHECK_THAT(engine::compile_drunet(reference.weights, 2, 1, {1.0})->summary(),
             contains("tiles of 4 ("));
}

TEST_CASE("Several threads may use one network") {
  const ReferenceDrunet reference({16, 32}, 1, 3);
  const auto network = engine::compile_drunet(reference.weights, 2, 1);
  std::vector<Tensor> inputs;
  std::vector<Tensor> expected;
  for (int i = 0; i < 4; ++i) {
    inputs.push_back(noise({1, 4, 30 + 2 * i, 26}, static_cast<std::uint64_t>(i)));
    expected.push_back(network->run(inputs.back()));
  }
  std::vector<Tensor> results(4);
  std::vector<std::thread> callers;
  for (std::size_t i = 0; i < 4; ++i) {
    callers.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) results[i] = network->run(inputs[i]);
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (std::size_t i = 0; i < 4; ++i) CHECK(results[i].equal(expected[i]));
}

TEST_CASE("Working memory stays below 200 elements per pixel") {
  const ReferenceDrunet reference({64, 128, 256, 512}, 1, 3);
  const auto network = engine::compile_drunet(reference.weights, 4, 1);
  for (const auto& [height, width] :
       {std::pair{512, 512}, std::pair{1024, 640}, std::pair{2048, 1280}}) {
    const double per_pixel =
        static_cast<double>(network->working_floats({height, width})) / (height * width);
    INFO(height << "x" << width << ": " << per_pixel);
    CHECK(per_pixel < 200);
    CHECK(per_pixel > 128);  // features of the finest scale, beside two images of the next one
  }
}

TEST_CASE("Weights that do not fit are refused") {
  const ReferenceDrunet reference({16, 32}, 1, 3);
  std::vector<Tensor> weights = reference.weights;
  CHECK_THROWS_AS(engine::compile_drunet(weights, 2, 2), tessera::error::ShapeMismatch);
  weights.push_back(weights.back());
  CHECK_THROWS_AS(engine::compile_drunet(weights, 2, 1), tessera::error::ShapeMismatch);
  weights = reference.weights;
  weights.pop_back();
  CHECK_THROWS_AS(engine::compile_drunet(weights, 2, 1), tessera::error::ShapeMismatch);
}
