// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "restore/config.hpp"
#include "restore/image_part.hpp"
#include "restore/loaded_measurement.hpp"
#include "restore/plan.hpp"
#include "restore/weight_search.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/core/tensor.hpp"

namespace restore {

/// What a restoration says of itself when it is done.
struct Outcome {
  ImagePart restored;  ///< the frame, (1, C, H, W) or (1, C, D, H, W), in units of the files;
                       ///< of a whole one, that of the first rank is read
  double misfit = 0;   ///< squared residuals over what the noise makes of them
  double elapsed_s = 0;
  std::vector<double> changes = {};  ///< of the iterate, relative, of each iteration
  std::optional<FoundWeight> found = {};
  std::vector<std::pair<double, double>> trials = {};  ///< weights, and what their rule looks at
};

/// The report is written for these: the measurements of this rank by their index, or its parts of
/// all, and the residuals that the restored image leaves of them, over the standard deviation of
/// the noise, times the root of the measurement's weight.
struct Remains {
  const std::map<std::int64_t, LoadedMeasurement>& held;
  std::map<std::int64_t, tessera::Tensor> residuals;
};

/// Throws error::InvalidArgument, saying what to do, if no page can have this name.
void check_report(const std::string& path);

/// Collective. Writes config.report, one HTML file that needs no other, on the first rank: the
/// restored image, each measurement with what is left of it, the course of the solver, and the
/// plan. Images are averaged until all of them fit some ten megabytes; of those that ranks share
/// out each averages its box. Throws error::Io.
void write_report(const Config& config, const Plan& plan, const Outcome& outcome,
                  const Remains& remains, tessera::Communicator& world);

}  // namespace restore
