// SPDX-License-Identifier: BSD-3-Clause
#include "restore/kept_run.hpp"

#include <fmt/format.h>

#include <utility>

#include "tessera/comm/agreement.hpp"
#include "tessera/io/digest.hpp"

namespace restore {

using namespace tessera;

namespace {

CheckpointOptions kept_with(const RunOrders& orders, const Inputs& inputs, Communicator& world) {
  CheckpointOptions options{.held = inputs.physics->held(), .space = inputs.space};
  if (inputs.space) {
    for (const auto& [index, loaded] : inputs.held) options.measured_spaces.push_back(loaded.boxes);
  }
  if (orders.checkpoint_every > 0) options.every = orders.checkpoint_every;
  guarded(world, "tessera_restore", [&] {
    if (!world.is_root()) return;
    for (const std::string& file : files_of(inputs.config)) {
      options.configuration[file + " (contents)"] = digest_of_file(file);
    }
  });
  return options;
}

}  // namespace

std::string checkpoint_path(const std::string& output) {
  return output + ".checkpoint.safetensors";
}

KeptRun::KeptRun(const RunOrders& orders, const Inputs& inputs, const CommunicatorPtr& world)
    : path_(checkpoint_path(inputs.config.output)),
      resumes_(orders.resume),
      tells_(world->is_root() && !orders.quiet),
      checkpoint_(path_, world, kept_with(orders, inputs, *world)) {}

SolverState KeptRun::begin(const Tensor& x0) {
  if (!resumes_) return {.x = x0};
  SolverState start = checkpoint_.resume(x0);
  if (tells_ && start.iterations == 0) {
    fmt::print("There is no {}: the run begins anew\n", path_);
  } else if (tells_) {
    fmt::print("Resumed after iteration {} from {}\n", start.iterations, path_);
  }
  return start;
}

}  // namespace restore
