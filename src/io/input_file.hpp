// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

namespace tessera::detail {

/// A plain file open for reading at any offset. Throws error::Io with the bare cause (see
/// in_file()).
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  std::uint64_t size() const { return size_; }

  /// Reads exactly `count` bytes from `offset` on.
  void read(std::uint64_t offset, void* into, std::uint64_t count) const;
  std::string read(std::uint64_t offset, std::uint64_t count) const;

 private:
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace tessera::detail
