// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>

#include "files.hpp"
#include "tessera/comm/detail/gather.hpp"
#include "world.hpp"

namespace test {

/// One folder of all ranks, which the first one made; ranks leave it together.
class SharedFolder {
 public:
  SharedFolder() {
    if (world()->is_root()) folder_.emplace();
    path_ = tessera::detail::gather_texts(*world(), folder_ ? folder_->path() : "").front();
  }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;
  ~SharedFolder() { world()->barrier(); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::size_t entry_count() const {
    world()->barrier();  // after the first rank has tidied up
    const std::filesystem::directory_iterator entries(path_);
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
  }

 private:
  std::optional<TemporaryFolder> folder_;
  std::string path_;
};

}  // namespace test
