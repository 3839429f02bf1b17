// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/core/flush_denormals.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <vector>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/solver/pnp.hpp"
#include "threads.hpp"
#include "toys.hpp"

using namespace tessera;

#if defined(__SSE2__) || defined(__aarch64__)

namespace {

/// Whether this thread computes with numbers below the smallest normal one.
bool keeps_denormals() {
  volatile float tiny = 1e-39F;
  volatile float twice = tiny + tiny;
  return twice > 0;
}

/// How many of the threads of a parallel region do.
int threads_that_keep_denormals(int threads) {
  std::vector<int> keeps(static_cast<std::size_t>(threads));
  at::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      keeps[static_cast<std::size_t>(i)] = keeps_denormals() ? 1 : 0;
    }
  });
  return static_cast<int>(std::count(keeps.begin(), keeps.end(), 1));
}

/// Tells what it saw of its threads.
class Witness : public Denoiser {
 public:
  std::string name() const override { return "witness"; }
  mutable int seen = -1;

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& /*sigma*/) const override {
    seen = threads_that_keep_denormals(at::get_num_threads());
    return x.clone();
  }
};

}  // namespace

TEST_CASE("FlushDenormals sets this thread and its workers, and sets them back") {
  for (const int count : {1, 2, 4}) {
    const test::Threads threads(count);
    REQUIRE(threads_that_keep_denormals(count) == count);
    {
      const FlushDenormals outer;
      CHECK(threads_that_keep_denormals(count) == 0);
      CHECK_FALSE(keeps_denormals());
      {
        const FlushDenormals inner;
        CHECK(threads_that_keep_denormals(count) == 0);
      }
      CHECK(threads_that_keep_denormals(count) == 0);
    }
    CHECK(threads_that_keep_denormals(count) == count);
    CHECK(keeps_denormals());
  }
}

TEST_CASE("Denoisers and solvers flush denormals while they work, also when they fail") {
  const test::Threads threads(2);
  const Witness witness;
  const Tensor x = test::indexed({1, 1, 4, 4});
  witness.denoise(x, 0.1);
  CHECK(witness.seen == 0);
  CHECK(threads_that_keep_denormals(2) == 2);

  const test::Halfway fidelity(x);
  const test::Shrink prior(1.0);
  int during = -1;
  ObserverFunction watch([&](const Iteration&) {
    during = threads_that_keep_denormals(2);
    throw std::runtime_error("enough");
  });
  CHECK_THROWS(PnP(fidelity, prior).solve(x, watch));
  CHECK(during == 0);
  CHECK(threads_that_keep_denormals(2) == 2);
}

#endif
