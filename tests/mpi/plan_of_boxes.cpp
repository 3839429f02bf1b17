// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>

#include <string>
#include <vector>

#include "catch.hpp"
#include "highres_deblurring/boxes.hpp"
#include "parts.hpp"
#include "run.hpp"
#include "tessera/run/memory.hpp"
#include "tessera/run/recorder.hpp"
#include "world.hpp"

using namespace tessera;

// What --plan says of images that ranks share out, beside what a run of the example does.
namespace {

Options options_of(const std::string& halo, const std::vector<std::string>& arguments) {
  std::vector<std::string> all = {"--distribute-image",
                                  "--denoiser-halo",
                                  halo,
                                  "--solver",
                                  "pnp",
                                  "--fidelity",
                                  "l2",
                                  "--iterations",
                                  "1",
                                  "--threads",
                                  "1",
                                  "--quiet"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return parse_arguments(all);
}

double sum_over_ranks(double value) {
  test::world()->all_reduce(&value, 1, DataType::f64, Reduction::sum);
  return value;
}

restoration::BoxScalingQuestion question_of(Options& options) {
  const restoration::ScalingQuestion run{.problem = "",
                                         .image = at::empty({1, 3, 8, 8}),
                                         .physics = nullptr,
                                         .operators = options.num_operators,
                                         .denoiser = make_network(options),
                                         .sigma = options.denoiser_sigma,
                                         .tiling = tiling_options(options),
                                         .shares_operators = {},
                                         .shares_tiles = {},
                                         .ranks = {}};
  return plan_of_boxes(options, run, truth_shape(options, {}));
}

/// All that ranks send in the gradient and the denoiser of an iteration.
void check_traffic(const std::string& halo, const std::vector<std::string>& arguments) {
  Options options = options_of(halo, arguments);
  const restoration::Outcome outcome = run(options, test::world());
  const double sent =
      sum_over_ranks(static_cast<double>(outcome.recorder->rows().front().bytes_sent()));
  const c10::InferenceMode no_gradients;
  const RankTraffic planned = restoration::box_traffic(question_of(options), test::world()->size(),
                                                       test::world()->rank(), halo == "layers");
  INFO(halo << ", " << arguments.front());
  CHECK(sum_over_ranks(planned.received_bytes) == sent);
}

/// The largest resident set of any rank once it has run, in bytes, and what the plan says.
struct Peak {
  double found = 0;
  double planned = 0;
};
Peak peak_of(const std::string& size) {
  Options options = options_of("layers", {"--image-size", size, "--num-operators", "4"});
  run(options, test::world());
  Peak peak{.found = memory_use(at::kCPU).peak_mb * 1024 * 1024};
  test::world()->all_reduce(&peak.found, 1, DataType::f64, Reduction::max);
  peak.planned = question_of(options).memory(test::world()->size(), true);
  return peak;
}

}  // namespace

// Before other cases, so that the largest resident set is that of its own runs.
TEST_CASE("A rank takes the memory that the plan says, within a quarter") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  SUCCEED("sanitizers keep freed memory");
#else
  const Peak small = peak_of("64");  // the program, its libraries and weights
  const Peak large = peak_of("1536");
  const double found = large.found - small.found;
  const double planned = large.planned - small.planned;
  INFO("found " << found * 1e-6 << " MB, planned " << planned * 1e-6 << " MB");
  CHECK(planned > 0.75 * found);
  CHECK(planned < 1.25 * found);
#endif
}

TEST_CASE("What ranks receive in an iteration is what the plan says") {
  for (const char* halo : {"layers", "context"}) {
    check_traffic(halo, {"--image-size", "100", "--num-operators", "3"});
    // By halos, of several kernels.
    check_traffic(halo, {"--image-size", "100", "--num-operators", "3", "--border", "reflect",
                         "--step-size", "0.5"});
  }
  check_traffic("layers", {"--problem", "multiframe_superres", "--image-size", "96",
                           "--num-operators", "2", "--step-size", "0.5"});
}

TEST_CASE("What ranks receive where boxes are long is extrapolated, for layers exactly") {
  check_traffic("layers", {"--image-size", "603", "--num-operators", "1"});
}
