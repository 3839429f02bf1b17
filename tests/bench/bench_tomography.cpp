// SPDX-License-Identifier: BSD-3-Clause
// How fast the projector is on this processor: forward and adjoint of one image in float32, by a
// parallel scan over 180 degrees and a fan over 360. Prints JSON. See
// docs/reference/performance.md.
//
//   bench_tomography --size 2048 --views 100 --cells 2900 --threads 2 --rounds 5

#include <ATen/Parallel.h>
#include <ATen/ops/rand.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "tessera/tomography/tomography.hpp"
#include "times.hpp"

namespace {

using tessera::ScanGeometry;
using tessera::Tensor;
using tessera::Tomography;

std::string times_of(const Tomography& a, const Tensor& x, std::int64_t rounds) {
  bench::Times forward;
  bench::Times adjoint;
  Tensor y = a.apply(x);
  Tensor back = a.apply_adjoint(y);
  for (std::int64_t i = 0; i < rounds; ++i) {
    forward.add(bench::seconds([&] { y = a.apply(x); }));
    adjoint.add(bench::seconds([&] { back = a.apply_adjoint(y); }));
  }
  return fmt::format(
      "{{\"forward_ms\": {:.1f}, \"adjoint_ms\": {:.1f}, \"median_of_both_ms\": {:.1f}}}",
      1e3 * forward.all.front(), 1e3 * adjoint.all.front(),
      1e3 * (forward.median() + adjoint.median()));
}

}  // namespace

int main(int argc, char** argv) try {
  std::map<std::string, std::int64_t> options = {{"--size", 2048},
                                                 {"--views", 100},
                                                 {"--cells", 2900},
                                                 {"--threads", at::get_num_threads()},
                                                 {"--rounds", 5}};
  for (int i = 1; i < argc; i += 2) {
    if (options.count(argv[i]) == 0 || i + 1 == argc) {
      fmt::print(stderr,
                 "bench_tomography: options are --size, --views, --cells, --threads and "
                 "--rounds, each with a number\n");
      return 2;
    }
    options[argv[i]] = std::atoll(argv[i + 1]);
  }
  const std::int64_t size = options["--size"];
  const std::int64_t views = options["--views"];
  const std::int64_t cells = options["--cells"];
  const auto width = static_cast<double>(size);
  at::set_num_threads(static_cast<int>(options["--threads"]));
  const c10::InferenceMode no_gradients;

  const Tensor x = at::rand({1, 1, size, size});
  const Tomography parallel({size, size}, 1, ScanGeometry::parallel(views, cells));
  const Tomography fan({size, size}, 1, ScanGeometry::fan(views, cells, 2, 2 * width, 2 * width));
  fmt::print("{{\"size\": {}, \"views\": {}, \"cells\": {}, \"threads\": {},\n", size, views, cells,
             at::get_num_threads());
  fmt::print(" \"parallel\": {},\n", times_of(parallel, x, options["--rounds"]));
  fmt::print(" \"fan\": {}}}\n", times_of(fan, x, options["--rounds"]));
  return 0;
} catch (const std::exception& failure) {
  return std::fprintf(stderr, "bench_tomography: %s\n", failure.what()), 1;
}
