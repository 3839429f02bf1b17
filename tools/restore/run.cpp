// SPDX-License-Identifier: BSD-3-Clause
#include "restore/run.hpp"

#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdio>

#include "restoration/outcome.hpp"
#include "restore/boxed.hpp"
#include "restore/inputs.hpp"
#include "restore/kept_run.hpp"
#include "restore/memory.hpp"
#include "restore/report.hpp"
#include "restore/restorer.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/run/memory.hpp"

namespace restore {

using namespace tessera;
using restoration::SolverKind;

namespace {

/// The frame of an image, in units of the files.
ImagePart framed(const Inputs& inputs, const Tensor& x) {
  const Plan& plan = inputs.plan;
  Tensor frame = clamped(x, plan.method.range);
  if (inputs.space) return frame_on_boxes(plan, *inputs.space, frame * plan.white);
  for (std::size_t axis = 0; axis < plan.frame.size(); ++axis) {
    frame = frame.narrow(static_cast<std::int64_t>(axis) + 2, plan.first[axis], plan.frame[axis]);
  }
  return {frame * plan.white};
}

/// Collective. The report of a run that is done; `x` is what it solved for.
void report(const Inputs& inputs, const Restorer& restorer, const Tensor& x, const Outcome& outcome,
            Communicator& world) {
  Remains remains{.held = inputs.held, .residuals = {}};
  guarded(world, program, [&] {
    const TensorList residuals = restorer.residuals(x);
    for (std::size_t i = 0; i < residuals.size(); ++i) {
      remains.residuals.emplace(inputs.physics->held()[i], residuals[i]);
    }
  });
  write_report(inputs.config, inputs.plan, outcome, remains, world);
}

}  // namespace

int run(const RunOrders& orders, const CommunicatorPtr& world) {
  const c10::InferenceMode no_gradients;
  share_cores(*world, orders.threads);
  const double resident = memory_use(at::kCPU).allocated_mb;
  Inputs inputs;
  try {
    inputs = read_inputs(orders, world);
    inputs.denoiser = denoiser_of(inputs, world);
    tell_memory(inputs, orders, resident, *world);
  } catch (const error::Communication&) {
    throw;
  } catch (const error::RankFailure& failure) {
    // Begins with the program's name.
    if (failure.rank() == world->rank()) fmt::print(stderr, "{}\n", failure.what());
    return wrong_input_code;
  } catch (const error::Error& failure) {  // of the only rank
    fmt::print(stderr, "{}: {}\n", program, failure.what());
    return wrong_input_code;
  }
  const bool tells = world->is_root() && !orders.quiet;
  if (tells || (orders.dry_run && world->is_root())) fmt::print("{}", table_of(inputs.plan));
  if (orders.dry_run) return 0;

  Restorer restorer(inputs, orders, world);
  const auto found = restorer.find_weight();
  if (found && tells) {
    fmt::print("prior weight {:.4g} after {} trials{}\n", found->weight, found->trials,
               found->fits ? ""
               : *inputs.plan.rule == WeightRule::discrepancy
                   ? ", none of which leaves residuals as large as the noise"
                   : ", none of which is better than its neighbours");
  }
  const SolveResult result = restorer.restore();
  if (result.iterations == 0) {
    if (world->is_root()) {
      fmt::print(stderr, "{}: the first iteration is not finite, although the data are\n", program);
    }
    return 1;
  }
  if (result.reason == StopReason::observer && result.iterations < inputs.plan.method.iterations) {
    if (world->is_root()) {
      fmt::print(stderr,
                 "{}: stopped by a signal after iteration {}; the same command with --resume goes "
                 "on from {}\n",
                 program, result.iterations, checkpoint_path(inputs.config.output));
    }
    return restoration::interrupted_code;
  }
  const double misfit = restorer.misfit(result.x);
  const ImagePart frame = guarded(*world, program, [&] {
    return inputs.space || world->is_root() ? framed(inputs, result.x) : ImagePart{};
  });
  if (frame.boxes) {
    write_boxes(inputs.config.output, *frame.boxes, frame.values, inputs.plan.samples,
                inputs.held.at(0).picture);
  } else {
    guarded(*world, program, [&] {
      if (!world->is_root()) return;
      write_picture(inputs.config.output, frame.values, inputs.plan.samples,
                    inputs.held.at(0).picture);
    });
  }
  if (!inputs.config.report.empty()) {
    report(inputs, restorer, result.x,
           {.restored = frame,
            .misfit = misfit,
            .elapsed_s = result.elapsed_s,
            .changes = restorer.changes(),
            .found = found,
            .trials = restorer.trials()},
           *world);
  }
  constexpr double poor = 1.5;
  if (world->is_root() && misfit > poor) {
    fmt::print(stderr,
               "{}: warning: squared residuals are {:.3g} times what the noise makes of them: an "
               "operator or a noise level is not that of the measurements\n",
               program, misfit);
  }
  if (tells) {
    const double taken_mb = memory_use(at::kCPU).peak_mb;
    fmt::print("{}: {} iterations in {:.1f} s, residuals {:.2f} of the noise{}; {}\n",
               settings::name_of(inputs.plan.method.solver), result.iterations, result.elapsed_s,
               std::sqrt(misfit),
               std::isnan(taken_mb)
                   ? ""
                   : fmt::format(", {:.3g} GB at most", taken_mb * 1024 * 1024 * 1e-9),
               inputs.config.output);
  }
  return 0;
}

}  // namespace restore
