// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>

#include "files.hpp"
#include "world.hpp"

namespace test {

/// A folder that only the first rank has.
class RootFolder {
 public:
  RootFolder() {
    if (world()->is_root()) folder_.emplace();
  }
  std::string file(const std::string& name) const {
    return folder_ ? folder_->file(name) : "/nowhere/" + name;
  }
  bool exists() const { return folder_.has_value(); }

 private:
  std::optional<TemporaryFolder> folder_;
};

}  // namespace test
