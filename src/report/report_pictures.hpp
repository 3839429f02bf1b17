// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace tessera::detail {

/// Pictures of a report, each distinct one once.
class PictureStore {
 public:
  /// The name under which the page finds the picture in this file. Throws error::Io.
  std::string add(const std::string& path);

  /// All pictures as data: {name: {"width", "height", "uri"}}, width and height being those of the
  /// file. JPEG, scaled down alike until together they fit the report. Needs a place for temporary
  /// files beside `beside`. Throws error::Io.
  nlohmann::ordered_json encode(const std::string& beside) const;

 private:
  std::vector<std::string> paths_;
  std::map<std::string, std::size_t> index_;  // by content
};

}  // namespace tessera::detail
