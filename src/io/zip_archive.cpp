// SPDX-License-Identifier: BSD-3-Clause
#include "io/zip_archive.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "io/byte_cursor.hpp"
#include "io/crc32.hpp"
#include "io/guard.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

// Signatures and fixed sizes of the records: APPNOTE.TXT of PKWARE, section 4.3.
constexpr std::uint32_t local_signature = 0x04034b50;
constexpr std::uint32_t directory_signature = 0x02014b50;
constexpr std::uint32_t end_signature = 0x06054b50;
constexpr std::uint32_t end64_signature = 0x06064b50;
constexpr std::uint32_t locator64_signature = 0x07064b50;
constexpr std::uint64_t local_size = 30;
constexpr std::uint64_t end_size = 22;
constexpr std::uint64_t end64_size = 56;
constexpr std::uint64_t locator64_size = 20;
constexpr std::uint32_t in_zip64 = 0xffffffff;

/// Position of the last "end of central directory" record; a comment may follow it.
std::uint64_t find_end(const InputFile& file) {
  constexpr std::uint64_t longest_comment = 0xffff;
  const std::uint64_t tail_size = std::min(file.size(), end_size + longest_comment);
  const std::string tail = file.read(file.size() - tail_size, tail_size);
  const std::size_t found = tail.rfind("PK\x05\x06");
  if (found == std::string::npos || tail.size() - found < end_size) {
    throw error::Io("is truncated or damaged: the directory at the end of the zip is missing");
  }
  return file.size() - tail_size + found;
}

/// Replaces the sizes and the offset that did not fit 32 bits by those of the zip64 extra field.
void read_zip64_field(ByteCursor extra, ZipArchive::Entry& entry) {
  while (extra.left() >= 4) {
    const auto id = extra.number<std::uint16_t>();
    ByteCursor field(extra.take(extra.number<std::uint16_t>()));
    if (id != 1) continue;
    for (std::uint64_t* value : {&entry.size, &entry.stored_size, &entry.header_offset}) {
      if (*value == in_zip64) *value = field.number<std::uint64_t>();
    }
  }
}

}  // namespace

ZipArchive::ZipArchive(const InputFile& file) : file_(file) {
  const std::uint64_t end = find_end(file);
  const std::string end_record = file.read(end, end_size);
  ByteCursor record(end_record);
  record.take(sizeof end_signature + 6);
  std::uint64_t count = record.number<std::uint16_t>();
  std::uint64_t size = record.number<std::uint32_t>();
  std::uint64_t offset = record.number<std::uint32_t>();
  if (count == 0xffff || size == in_zip64 || offset == in_zip64) {
    if (end < locator64_size) throw error::Io("has a damaged zip directory");
    const std::string locator_record = file.read(end - locator64_size, locator64_size);
    ByteCursor locator(locator_record);
    // Without a locator the fields simply have their largest value.
    if (locator.number<std::uint32_t>() == locator64_signature) {
      locator.take(4);
      const std::string end64_record = file.read(locator.number<std::uint64_t>(), end64_size);
      ByteCursor record64(end64_record);
      if (record64.number<std::uint32_t>() != end64_signature)
        throw error::Io("has a damaged zip64 directory");
      record64.take(28);
      count = record64.number<std::uint64_t>();
      size = record64.number<std::uint64_t>();
      offset = record64.number<std::uint64_t>();
    }
  }
  read_directory(offset, size, count);
  check_overlap();
}

void ZipArchive::check_overlap() const {
  std::map<std::uint64_t, std::uint64_t> ends;  // of the entries, by their beginning
  for (const auto& [name, entry] : entries_) {
    const bool inside = entry.header_offset <= file_.size() && entry.stored_size <= file_.size();
    const std::uint64_t end = entry.header_offset + local_size + name.size() + entry.stored_size;
    if (!inside || end > file_.size()) {
      throw error::Io("is truncated or damaged at record " + in_quotes(name));
    }
    if (!ends.emplace(entry.header_offset, end).second) throw error::Io("has records that overlap");
  }
  std::uint64_t free = 0;
  for (const auto& [begin, end] : ends) {
    if (begin < free) throw error::Io("has records that overlap");
    free = end;
  }
}

void ZipArchive::read_directory(std::uint64_t offset, std::uint64_t size, std::uint64_t count) {
  const std::string bytes = file_.read(offset, size);
  ByteCursor cursor(bytes);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (cursor.number<std::uint32_t>() != directory_signature)
      throw error::Io("has a damaged zip directory");
    Entry entry;
    cursor.take(6);  // versions, flags
    entry.method = cursor.number<std::uint16_t>();
    cursor.take(4);  // time, date
    entry.checksum = cursor.number<std::uint32_t>();
    entry.stored_size = cursor.number<std::uint32_t>();
    entry.size = cursor.number<std::uint32_t>();
    const auto name_size = cursor.number<std::uint16_t>();
    const auto extra_size = cursor.number<std::uint16_t>();
    const auto comment_size = cursor.number<std::uint16_t>();
    cursor.take(8);  // disk, attributes
    entry.header_offset = cursor.number<std::uint32_t>();
    const std::string name(cursor.take(name_size));
    read_zip64_field(ByteCursor(cursor.take(extra_size)), entry);
    cursor.take(comment_size);
    if (!entries_.emplace(name, entry).second) {
      throw error::Io("has a damaged zip directory: " + in_quotes(name) + " occurs twice");
    }
  }
}

const ZipArchive::Entry& ZipArchive::find(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw error::Io("has no record " + in_quotes(name));
  const Entry& entry = found->second;
  if (entry.method != 0 || entry.stored_size != entry.size) {
    throw error::Io("has a compressed record " + in_quotes(name) +
                    "; torch.save writes them uncompressed");
  }
  if (entry.size > file_.size())
    throw error::Io("is truncated or damaged at record " + in_quotes(name));
  return entry;
}

void ZipArchive::read(const std::string& name, void* into) const {
  const Entry& entry = find(name);
  const std::string local_record = file_.read(entry.header_offset, local_size);
  ByteCursor local(local_record);
  if (local.number<std::uint32_t>() != local_signature) {
    throw error::Io("has a damaged header of record " + in_quotes(name));
  }
  local.take(22);
  const std::uint64_t name_size = local.number<std::uint16_t>();
  const std::uint64_t extra_size = local.number<std::uint16_t>();
  file_.read(entry.header_offset + local_size + name_size + extra_size, into, entry.size);
  if (crc32(into, entry.size) != entry.checksum) {
    throw error::Io("is damaged: the checksum of record " + in_quotes(name) + " does not match");
  }
}

std::string ZipArchive::read(const std::string& name) const {
  std::string bytes(size(name), '\0');
  read(name, bytes.data());
  return bytes;
}

}  // namespace tessera::detail
