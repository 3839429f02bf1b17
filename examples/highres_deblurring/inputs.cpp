// SPDX-License-Identifier: BSD-3-Clause
#include "inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "parts.hpp"
#include "rank_plan.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/digest.hpp"

using namespace tessera;

std::vector<std::pair<std::string, std::string>> input_files(const Options& options) {
  std::vector<std::pair<std::string, std::string>> files = {{"image", options.image},
                                                            {"truth", options.truth},
                                                            {"measurements", options.measurements},
                                                            {"weights", options.weights}};
  std::erase_if(files, [](const auto& file) { return file.second.empty(); });
  return files;
}

void check_threads(const Options& options) {
  constexpr int most_per_core = 8;
  const int cores = usable_cores();
  if (options.threads <= most_per_core * cores) return;
  throw error::InvalidArgument(
      fmt::format("--threads: is {}, expected at most {} per core; this host has {} cores",
                  options.threads, most_per_core, cores));
}

/// A network of the user's own may know one level of noise: levels cannot fall then.
void settle_levels(Options& options, Inputs& inputs) {
  if (inputs.network->follows_level()) return;
  if (options.solver == SolverKind::dpir) {
    throw error::InvalidArgument(
        fmt::format("--denoiser: the network {} takes no level of noise, and --solver dpir needs "
                    "one that does; give --solver pnp",
                    options.weights));
  }
  if (!options.denoiser_sigma_start) return;
  options.denoiser_sigma_start.reset();
  inputs.source.warnings.push_back(
      fmt::format("the network {} takes no level of noise, so that levels do not fall from "
                  "iteration to iteration",
                  options.weights));
}

Inputs read_inputs(Options& options, Communicator& world) {
  constexpr const char* who = "highres_deblurring";
  const int ranks = ranks_of_host(world);
  Inputs inputs = guarded(world, who, [&] {
    Inputs mine{.source = read_source(options), .network = make_network(options), .digests = {}};
    settle_levels(options, mine);
    const std::vector<std::int64_t> shape = truth_shape(options, mine.source);
    if (options.device == at::kCPU) {
      restoration::check_memory(plan_of_rank(options, shape, mine.network, world.size()), ranks,
                                fmt::format("for an image of {}x{} pixels and {} operators",
                                            shape[3], shape[2], options.num_operators),
                                advice_on_memory(options));
    }
    for (const auto& [option, path] : input_files(options)) {
      mine.digests[option] = digest_of_file(path);
    }
    return mine;
  });
  NamedValues fingerprints;
  for (const auto& [option, digest] : inputs.digests) {
    fingerprints.emplace_back(fmt::format("the digest of the file of --{}", option), digest);
  }
  same_on_all_ranks(world, who, fingerprints);
  return inputs;
}
