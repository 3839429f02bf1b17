#include <fmt/format.h>

#include "options.hpp"
#include "output.hpp"
#include "run.hpp"
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
  fmt::print("{} after {} iterations, {:.1f} s (set-up {:.1f} s): {}\n", options.solver, outcome.result.iterations,
             outcome.result.elapsed_s, outcome.setup_s, tessera::to_string(outcome.result.reason));
  fmt::print("PSNR {:.2f} dB, SSIM {:.4f}\n", last.psnr, last.ssim);
  fmt::print("Results: {0}/preview.png, {0}/reconstruction.png, {0}/metrics.csv, {0}/summary.json\n", options.out);
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
    const Outcome outcome = run(options, world);
    if (world->is_root()) {
      write_outcome(options, outcome);
      if (!options.quiet) print_outcome(options, outcome);
    }
  });
}
