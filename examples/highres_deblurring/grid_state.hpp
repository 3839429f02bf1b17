#pragma once

#include <optional>
#include <string>
#include <vector>

#include "grid_rows.hpp"

/// What the folder of a row says about it.

/// A completed run, from its summary.json.
struct RowResult {
  std::vector<std::string> arguments;
  int ranks = 0;
  double psnr = 0;    ///< dB; NaN if unknown
  double time_s = 0;  ///< NaN if unknown
};

/// The result in a folder; nothing if there is none, or if it is damaged or incomplete.
std::optional<RowResult> read_result(const std::string& folder);

/// The result of exactly this row: the same arguments on the same number of ranks.
std::optional<RowResult> finished(const GridRow& row);

/// Makes the row's folder ready for a new run: writes command.txt and configuration.yml. A result
/// of other settings is kept as summary.previous.json, so that nobody takes it for this row's.
/// Throws error::Io.
void prepare_row(const GridRow& row, const std::string& command);

/// The number of the Slurm job last submitted for the row; empty if none.
std::string submitted_job(const GridRow& row);
void remember_job(const GridRow& row, const std::string& job);
