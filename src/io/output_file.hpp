// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>

namespace tessera::detail {

/// A file that exists, open for writing and reading at any offset; several processes may each write
/// their part. Throws error::Io with the bare cause (see in_file()).
class OutputFile {
 public:
  explicit OutputFile(const std::string& path);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  /// Makes the file so many bytes long, zeros where nothing was written.
  void resize(std::uint64_t size);
  void write(std::uint64_t offset, const void* from, std::uint64_t count);
  /// Reads exactly `count` bytes that were written.
  void read(std::uint64_t offset, void* into, std::uint64_t count) const;
  /// To the disk.
  void flush();

 private:
  int descriptor_ = -1;
};

}  // namespace tessera::detail
