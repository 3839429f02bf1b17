// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/input_file.hpp"
#include "tessera/core/tensor.hpp"

/// .safetensors files piece by piece, for tensors that no process has whole.
namespace tessera::detail {

using Metadata = std::map<std::string, std::string>;

/// One tensor as the header declares it; offsets count from the end of the header.
struct SafetensorsEntry {
  std::string name;
  at::ScalarType type = at::kFloat;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// An open file whose header has been validated as read_safetensors() says. Throws error::Io with
/// the bare cause (see in_file()).
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::string& path);

  /// In the order of the file.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  const Metadata& metadata() const { return metadata_; }

  /// Bytes [offset, offset + count) of a tensor.
  void read(const SafetensorsEntry& entry, std::uint64_t offset, void* into,
            std::uint64_t count) const;
  Tensor read(const SafetensorsEntry& entry) const;

 private:
  InputFile file_;
  std::uint64_t data_offset_ = 0;
  std::vector<SafetensorsEntry> entries_;
  Metadata metadata_;
};

/// Entries, whose dtypes the format has, in the order in which they are written, with their
/// offsets: wide types first keeps every tensor aligned.
std::vector<SafetensorsEntry> in_file_order(std::vector<SafetensorsEntry> entries);

/// What a file of these entries begins with; the tensors' bytes follow.
std::string safetensors_header(const std::string& path,
                               const std::vector<SafetensorsEntry>& entries,
                               const Metadata& metadata);

}  // namespace tessera::detail
