// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

namespace tessera {

/// Local. Reads run folders as write_run() leaves them and writes one HTML file that needs nothing
/// else, not even a network: quality against iteration and time, where the time goes, memory,
/// scaling over the numbers of ranks, each rank's share with the tile plan over the picture,
/// pictures to compare, configuration and machine. Pictures are scaled down until all of them
/// together fit a few megabytes.
///
/// Folders without a finished run (no summary.json, or one without "completed": true), or whose
/// files cannot be read, are left out; the report says so. Returns what it says, one sentence per
/// folder. Throws error::InvalidArgument if no folder is given, error::Io if the file cannot be
/// written.
std::vector<std::string> write_report(const std::string& html_path,
                                      const std::vector<std::string>& run_folders);

}  // namespace tessera
