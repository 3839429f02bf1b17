// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "grid/inputs.hpp"
#include "grid/rows.hpp"

namespace grid {

/// What the folder of a row says about it.

/// A completed run, from its summary.json.
struct RowResult {
  std::vector<std::string> arguments;
  int ranks = 0;
  double psnr = 0;        ///< dB; NaN if unknown
  double time_s = 0;      ///< NaN if unknown
  bool diverged = false;  ///< it ended because an iteration was not finite
  /// Digests of the files it read, by option; nothing if the program that wrote it knew none.
  std::optional<std::map<std::string, std::string>> inputs;
};

/// The result in a folder; nothing if there is none, or if it is damaged or incomplete.
std::optional<RowResult> read_result(const std::string& folder);

/// What a folder holds for a row.
struct Standing {
  std::optional<RowResult> result;  ///< of exactly this row, and good
  std::string reason;               ///< why the result that is there is none; empty: there is none
};

/// A result counts for the same arguments on the same number of ranks with the same contents of all
/// files, if its PSNR is finite. Throws error::Io for a file that cannot be read.
Standing standing(const GridRow& row, InputDigests& digests);

/// Makes the row's folder ready for a new run: writes command.txt and configuration.yml. A result
/// that does not count is kept as summary.previous.json, so that nobody takes it for this row's.
/// Throws error::Io.
void prepare_row(const GridRow& row, const Vocabulary& vocabulary, const std::string& command,
                 InputDigests& digests);

/// The number of the Slurm job last submitted for the row; empty if none.
std::string submitted_job(const GridRow& row);
void remember_job(const GridRow& row, const std::string& job);

}  // namespace grid
