// SPDX-License-Identifier: BSD-3-Clause
// How long a least-squares gradient of a non-uniform Fourier transform takes: by its Toeplitz
// filter, and by the transform and its adjoint. Points on spokes through the centre, float32 image
// of complex values. Prints JSON. See docs/reference/performance.md.
//
//   bench_nonuniform_fourier --extent 512 --points 1000000 --threads 2 --rounds 5

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <numbers>
#include <string>

#include "tessera/fidelity/l2.hpp"
#include "tessera/fourier/nonuniform_fourier.hpp"
#include "times.hpp"

namespace {

using bench::seconds;
using bench::Times;
using tessera::L2;
using tessera::NonuniformFourier;
using tessera::Tensor;

struct Options {
  std::int64_t extent = 512;
  std::int64_t points = 1'000'000;
  int threads = at::get_num_threads();
  int rounds = 5;
};

[[noreturn]] void usage(const std::string& wrong) {
  fmt::print(
      stderr,
      "bench_nonuniform_fourier: {}\noptions: --extent N --points N --threads N --rounds N\n",
      wrong);
  std::exit(2);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) usage(name + " needs a value");
    const long long value = std::atoll(argv[i + 1]);
    if (value < 1) usage(name + " needs a number of 1 or more");
    if (name == "--extent")
      options.extent = value;
    else if (name == "--points")
      options.points = value;
    else if (name == "--threads")
      options.threads = static_cast<int>(value);
    else if (name == "--rounds")
      options.rounds = static_cast<int>(value);
    else
      usage(name + " is not known");
  }
  return options;
}

/// Spokes turned by the golden angle, 2 samples for each pixel along them.
Tensor spokes(std::int64_t count, std::int64_t extent) {
  const Tensor index = at::arange(count, at::kDouble);
  const auto samples = static_cast<double>(2 * extent);
  const Tensor spoke = (index / samples).floor();
  const Tensor radius = std::numbers::pi * (2 * (index - samples * spoke) / samples - 1);
  const Tensor angle = spoke * (std::numbers::pi * (std::sqrt(5.0) - 1) / 2);
  return at::stack({radius * angle.sin(), radius * angle.cos()}, 1);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  at::set_num_threads(options.threads);
  const std::int64_t n = options.extent;
  const Tensor x = at::rand({1, 2, n, n}, at::kFloat);
  std::shared_ptr<NonuniformFourier> physics;
  const double sorting = seconds([&] {
    physics = std::make_shared<NonuniformFourier>(
        tessera::Extents{n, n}, spokes(options.points, n),
        tessera::NonuniformFourierOptions{.complex_pairs = true});
  });
  const Tensor y = physics->apply(x);
  const double filter = seconds([&] { (void)physics->normal_filter(x); });
  const L2 fused(physics, {y}, x);
  const L2 plain(physics, {y}, x, {.fused = false});
  Times toeplitz;
  Times forward;
  Times adjoint;
  Times gradient;
  for (int round = 0; round < options.rounds; ++round) {
    toeplitz.add(seconds([&] { (void)fused.gradient(x); }));
    forward.add(seconds([&] { (void)physics->apply(x); }));
    adjoint.add(seconds([&] { (void)physics->apply_adjoint(y); }));
    gradient.add(seconds([&] { (void)plain.gradient(x); }));
  }
  fmt::print(
      "{{\"extent\": {}, \"points\": {}, \"threads\": {}, \"rounds\": {},\n"
      " \"sorting_s\": {:.3f}, \"filter_s\": {:.3f}, \"toeplitz_gradient_s\": {:.4f},\n"
      " \"forward_s\": {:.4f}, \"adjoint_s\": {:.4f}, \"gradient_s\": {:.4f}}}\n",
      n, options.points, options.threads, options.rounds, sorting, filter, toeplitz.all.front(),
      forward.all.front(), adjoint.all.front(), gradient.all.front());
  return 0;
}
