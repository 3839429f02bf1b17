// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "io/input_file.hpp"

namespace tessera::detail {

/// The directory of a zip file whose entries are stored, not compressed, as torch.save writes them.
/// Throws error::Io with the bare cause.
class ZipArchive {
 public:
  /// `file` must outlive this.
  explicit ZipArchive(const InputFile& file);

  struct Entry {
    std::uint16_t method = 0;  // 0: stored
    std::uint32_t checksum = 0;
    std::uint64_t stored_size = 0;
    std::uint64_t size = 0;
    std::uint64_t header_offset = 0;
  };

  const std::map<std::string, Entry>& entries() const { return entries_; }

  bool contains(const std::string& name) const { return entries_.contains(name); }
  /// Bytes of an entry. Throws if there is none of that name.
  std::uint64_t size(const std::string& name) const { return find(name).size; }
  /// Reads all bytes of an entry into memory of at least size(name) bytes, and checks their CRC-32.
  void read(const std::string& name, void* into) const;
  std::string read(const std::string& name) const;

 private:
  const Entry& find(const std::string& name) const;
  /// Throws if two entries share bytes: a small file could then unpack to any size.
  void check_overlap() const;
  void read_directory(std::uint64_t offset, std::uint64_t size, std::uint64_t count);

  const InputFile& file_;
  std::map<std::string, Entry> entries_;
};

}  // namespace tessera::detail
