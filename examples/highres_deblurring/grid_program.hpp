// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <string>
#include <vector>

#include "grid/grid.hpp"
#include "options.hpp"
#include "restoration/table_program.hpp"

/// This program as grids know it. Reads each photograph and each file of weights once.
class HighresProgram final : public restoration::TableProgram<Options> {
 public:
  HighresProgram() : TableProgram(command_line()) {}
  std::string title(const grid::Settings& row) const override;
  std::vector<std::string> keys_in_title() const override;
  bool knows(const std::string& solver, const std::string& option) const override;
  grid::Files files_read(const grid::Run& run) const override;
  grid::RunPlan plan(const grid::Run& run, int ranks) override;
  std::vector<std::string> notices(const grid::Settings& row, const grid::Run& run) const override;

 private:
  grid::Vocabulary make_vocabulary() const override;

  const std::vector<std::int64_t>& shape(const Options& options);

  std::map<std::string, std::vector<std::int64_t>> shapes_;
};
