// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "options.hpp"
#include "problem.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/denoiser/denoiser.hpp"

/// What a run reads before it makes anything large.
struct Inputs {
  Source source;
  tessera::DenoiserPtr network;
  std::map<std::string, std::string> digests;  ///< of the contents of input_files, by option
};

/// Every file that the result depends on: the option that names it ("image", "truth",
/// "measurements", "weights") and its path. The weights are the installed ones once make_network
/// has named them.
std::vector<std::pair<std::string, std::string>> input_files(const Options& options);

/// Throws error::InvalidArgument for so many threads that the run would crawl or could not start.
void check_threads(const Options& options);

/// Collective. Every rank reads for itself; all must find the same. Sets options.weights and
/// options.image_size where the command line left them open. Throws error::RankFailure for what
/// cannot be read or run: values on another scale, tiles that do not fit, too little memory, files
/// that differ between ranks.
Inputs read_inputs(Options& options, tessera::Communicator& world);
