// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <string>
#include <vector>

#include "grid/grid.hpp"
#include "options.hpp"
#include "restoration/table_program.hpp"
#include "tessera/core/tensor.hpp"

/// This program as grids know it. Makes each image and reads each file of weights once.
class ScanProgram final : public restoration::TableProgram<Options> {
 public:
  ScanProgram() : TableProgram(command_line()) {}
  std::string title(const grid::Settings& row) const override;
  std::vector<std::string> keys_in_title() const override;
  bool knows(const std::string& solver, const std::string& option) const override;
  grid::Files files_read(const grid::Run& run) const override;
  grid::RunPlan plan(const grid::Run& run, int ranks) override;
  std::vector<std::string> notices(const grid::Settings& row, const grid::Run& run) const override;

 private:
  grid::Vocabulary make_vocabulary() const override;

  const tessera::Extents& shape(const Options& options);

  std::map<std::string, tessera::Extents> shapes_;
};
