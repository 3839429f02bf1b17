// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace settings {

/// How a value is written: numbers as numbers.hpp says, per_axis one or several joined by x; a path
/// is not empty.
enum class Kind { integer, per_axis, seed, number, number_or_auto, boolean, text, path };

/// Where a configuration file has a setting.
enum class Section { none, dataset, solver };

}  // namespace settings
