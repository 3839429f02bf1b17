// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "../../examples/highres_deblurring/grid_program.hpp"
#include "../../examples/highres_deblurring/options.hpp"
#include "grid/config.hpp"
#include "grid/rows.hpp"

/// Grids of the example, for tests.

inline const HighresProgram& program() {
  static const HighresProgram highres;
  return highres;
}

inline grid::GridConfig parse_config(const std::string& text, const std::string& file) {
  return grid::parse_config(text, file, program().vocabulary());
}

inline std::vector<grid::Settings> expand(const grid::GridConfig& config) {
  return grid::expand(config, program().vocabulary());
}

inline std::vector<std::string> to_arguments(const grid::Setting& setting) {
  return grid::to_arguments(setting, program().vocabulary());
}

inline std::string to_yaml(const grid::Settings& row) {
  return grid::to_yaml(row, program().vocabulary());
}

inline std::vector<grid::GridRow> make_rows(const grid::GridConfig& config,
                                            const Options& command_line,
                                            const grid::Target& target) {
  grid::Orders orders;
  orders.out = command_line.out;
  orders.given = command_line.given;
  return grid::make_rows(program(), config, orders, target);
}

/// What the ranks of a row are told.
inline Options options_of(const grid::GridRow& row) {
  return parse_arguments(row.arguments());
}
