#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "options.hpp"
#include "output.hpp"
#include "parts.hpp"
#include "problem.hpp"
#include "run.hpp"
#include "scaling.hpp"
#include "tessera/comm/program.hpp"
#ifdef TESSERA_EXAMPLE_MPI
#include "tessera/comm/mpi.hpp"
#else
#include "tessera/comm/self.hpp"
#endif

namespace {

void print_outcome(const Options& options, const Outcome& outcome) {
  if (!outcome.tiling.empty()) fmt::print("{}\n", outcome.tiling);
  const tessera::MetricsRow& last = outcome.rows.back();
  fmt::print("{} after {} iterations, {:.1f} s (set-up {:.1f} s): {}\n", options.solver,
             outcome.result.iterations, outcome.result.elapsed_s, outcome.setup_s,
             tessera::to_string(outcome.result.reason));
  fmt::print("PSNR {:.2f} dB, SSIM {:.4f}\n", last.psnr, last.ssim);
  fmt::print(
      "Results: {0}/preview.png, {0}/reconstruction.png, {0}/metrics.csv, {0}/summary.json\n",
      options.out);
}

void print_plan(Options& options) {
  const c10::InferenceMode no_gradients;
  if (options.threads > 0) at::set_num_threads(options.threads);
  const tessera::DenoiserPtr denoiser = make_network(options);
  const std::int64_t size = options.image_size;
  const std::vector<std::int64_t> shape = options.image.empty() && options.truth.empty()
                                              ? std::vector<std::int64_t>{1, 3, size * 5 / 8, size}
                                              : make_truth(options).sizes().vec();
  const MachineCosts costs = measure_costs(options, *denoiser);
  fmt::print("{}",
             scaling_table(predict(options, denoiser, shape, options.ranks, costs), costs, shape));
}

}  // namespace

int main(int argc, char** argv) {
#ifdef TESSERA_EXAMPLE_MPI
  const tessera::MpiSession session(argc, argv);
  const tessera::CommunicatorPtr world = tessera::mpi_communicator();
#else
  const tessera::CommunicatorPtr world = tessera::self_communicator();
#endif
  Options options;
  if (const auto code = parse(argc, argv, world->is_root(), options)) return *code;
  return tessera::run_guarded(*world, "highres_deblurring", [&] {
    if (options.plan) {
      if (world->is_root()) print_plan(options);
      return 0;
    }
    const Outcome outcome = run(options, world);
    if (world->is_root()) {
      write_outcome(options, outcome);
      if (!options.quiet) print_outcome(options, outcome);
    }
    return 0;
  });
}
