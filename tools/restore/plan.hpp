// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "restoration/method.hpp"
#include "restore/config.hpp"
#include "restore/facts.hpp"
#include "tessera/core/tensor.hpp"

namespace restore {

/// A line of the table that tells what a run will do.
struct PlanRow {
  std::string what = {};
  std::string value = {};
  std::string reason = {};  ///< who says so: the file, the data, a default
};

/// Of a measurement of counts, in units of its file.
struct Counts {
  double gain = 1;  ///< what one count adds
  double background = 0;
};

/// All that a run does, settled from the configuration and the data. The solver works on
/// intensities: values divided by `white`.
struct Plan {
  tessera::Extents image = {};  ///< (1, C, H, W) or (1, C, D, H, W)
  tessera::Extents first = {};  ///< where what is written begins, along its spatial axes,
  tessera::Extents frame = {};  ///< and its extents: the frame of the first measurement
  double white = 1;
  Samples samples = Samples::u8;    ///< of the restored image
  restoration::Method method;       ///< its noise level in intensities, that of all measurements:
  std::vector<double> scales = {};  ///< each is multiplied by its number, its operator too
  std::vector<Counts> counts = {};  ///< of each measurement, where noise is that of counts
  std::vector<double> subtracted = {};  ///< from each before, in units of its file
  PriorName prior = PriorName::drunet;
  std::optional<WeightRule> rule = {};  ///< none: the method's weights hold
  at::ScalarType type = at::kDouble;    ///< of the solver's arithmetic
  double values = 0;                    ///< how many were measured, each times its weight
  std::vector<PlanRow> rows = {};

  /// The method's weight of the prior.
  double& weight();
  bool has_weight() const;
};

/// Local, and the same on every rank that is given the same. `facts` has those of each measurement.
/// Throws error::InvalidArgument, beginning with the file and the key, for measurements that do not
/// fit together, a range or a noise level that nothing says, and parts that do not go together.
Plan make_plan(const Config& config, const std::vector<Facts>& facts);

/// The rows as text, a line each.
std::string table_of(const Plan& plan);

}  // namespace restore
