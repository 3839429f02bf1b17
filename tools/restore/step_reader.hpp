// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "restore/steps.hpp"
#include "restore/value_reader.hpp"

namespace restore {

/// The operator of a measurement: one step, or a list of them in the order in which they act. `who`
/// is what messages call it.
std::vector<Step> read_chain(ValueReader& values, const YAML::Node& node, const std::string& who);

}  // namespace restore
