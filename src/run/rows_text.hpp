// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tessera/run/recorder.hpp"

namespace tessera::detail {

/// Rows as text that reads back to the same bits: the format's name and version, the number of
/// rows, the names of the fields, then a line of comma-separated values per row.
std::string rows_to_text(const std::vector<MetricsRow>& rows);

/// Throws error::InvalidArgument, saying what is wrong, for text that rows_to_text() of this
/// version did not write.
std::vector<MetricsRow> rows_from_text(std::string_view text);

}  // namespace tessera::detail
