// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "grid/rows.hpp"

namespace grid {

/// Digests of the files that rows read; each file is read once as long as its size and the time of
/// its last change stay.
class InputDigests {
 public:
  explicit InputDigests(const Program& program) : program_(program) {}

  /// As a run of the row writes them into summary.json: by the name of the option, files of the
  /// program's defaults included. Throws error::Io for a file that cannot be read.
  std::map<std::string, std::string> of(const GridRow& row);

 private:
  struct Known {
    std::uintmax_t size = 0;
    std::filesystem::file_time_type changed;
    std::string digest;
  };
  const std::string& of_file(const std::string& path);

  const Program& program_;
  std::map<std::string, Known> known_;
};

/// Throws error::Io if a file that the row names is not there or cannot be read: its place in the
/// grid's file, or its option, the file, and why.
void check_inputs(const std::string& config, const GridRow& row);

}  // namespace grid
