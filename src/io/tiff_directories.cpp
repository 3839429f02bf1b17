// SPDX-License-Identifier: BSD-3-Clause
#include "io/tiff_directories.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

enum Tag : std::uint64_t {
  new_subfile_type = 254,
  subfile_type = 255,  // of older files: 1 full, 2 reduced, 3 one page of several
  image_width = 256,
  image_length = 257
};

class Walker {
 public:
  explicit Walker(const InputFile& file)
      : file_(file),
        little_(file.read(0, 1) == "I"),
        big_(number(2, 2) == 43),
        pointer_size_(big_ ? 8 : 4),
        budget_(2 * file.size()) {}

  std::vector<TiffDirectory> walk() {
    std::vector<TiffDirectory> found;
    std::set<std::uint64_t> seen;
    std::uint64_t next = number(big_ ? 8 : 4, pointer_size_);
    while (next != 0) {
      if (!seen.insert(next).second) throw error::Io("TIFF: is damaged: its pages form a ring");
      page_ = seen.size();
      found.push_back({.offset = next});
      next = read(found.back());
    }
    if (found.empty()) throw error::Io("TIFF: is damaged: it has no page");
    return found;
  }

 private:
  /// Fills what a directory tells; returns where the next one is.
  std::uint64_t read(TiffDirectory& directory) {
    constexpr std::uint64_t most_entries = 4096;  // libtiff compares each with every other
    const std::uint64_t count_size = big_ ? 8 : 2;
    const std::uint64_t entry_size = big_ ? 20 : 12;
    const std::uint64_t count = number(directory.offset, count_size);
    if (count == 0 || count > most_entries) {
      throw error::Io(fmt::format("TIFF: is damaged: page {} has {} entries, expected 1 to {}",
                                  page_, count, most_entries));
    }
    spend(count_size + count * entry_size + pointer_size_);
    const std::uint64_t start = directory.offset + count_size;
    const std::string table = bytes(start, count * entry_size);
    std::uint64_t values = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      values += entry(std::string_view(table).substr(i * entry_size, entry_size), directory);
    }
    if (values > 2 * file_.size()) {
      throw error::Io(
          fmt::format("TIFF: is damaged: page {} declares more values than the file holds", page_));
    }
    return number(start + count * entry_size, pointer_size_);
  }

  /// Notes the value of an entry if it is wanted; returns the size of its values in bytes.
  std::uint64_t entry(std::string_view text, TiffDirectory& directory) const {
    static constexpr std::array<std::uint64_t, 19> sizes = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4,
                                                            8, 4, 8, 4, 0, 0, 8, 8, 8};
    const std::uint64_t tag = value_of(text.substr(0, 2));
    const std::uint64_t type = value_of(text.substr(2, 2));
    const std::uint64_t count = value_of(text.substr(4, pointer_size_));
    const std::uint64_t size = type < sizes.size() ? sizes[type] : 0;
    if (count == 1 && size > 0 && size <= pointer_size_) {
      const std::uint64_t value = value_of(text.substr(4 + pointer_size_, size));
      if (tag == new_subfile_type) directory.kind = static_cast<std::uint32_t>(value);
      if (tag == subfile_type && value == 2) directory.kind |= 1;
      if (tag == image_width) directory.width = static_cast<std::int64_t>(value);
      if (tag == image_length) directory.height = static_cast<std::int64_t>(value);
    }
    return size * std::min<std::uint64_t>(count, 4 * file_.size());
  }

  std::string bytes(std::uint64_t at, std::uint64_t size) const {
    if (at > file_.size() || size > file_.size() - at) {
      throw error::Io(fmt::format("TIFF: is truncated or damaged: page {} lies outside the file",
                                  std::max<std::size_t>(1, page_)));
    }
    return file_.read(at, size);
  }

  std::uint64_t number(std::uint64_t at, std::uint64_t size) const {
    return value_of(bytes(at, size));
  }

  std::uint64_t value_of(std::string_view text) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char byte = text[little_ ? text.size() - 1 - i : i];
      value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
  }

  /// Directories that do not overlap are no longer than the file.
  void spend(std::uint64_t bytes) {
    if (bytes > budget_) throw error::Io("TIFF: is damaged: its pages overlap");
    budget_ -= bytes;
  }

  const InputFile& file_;
  std::size_t page_ = 0;
  bool little_;
  bool big_;
  std::uint64_t pointer_size_;
  std::uint64_t budget_;
};

}  // namespace

std::vector<TiffDirectory> list_directories(const InputFile& file) {
  return Walker(file).walk();
}

bool is_tiff(std::string_view start) {
  using namespace std::string_view_literals;
  static constexpr std::array magics = {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv};
  return std::any_of(magics.begin(), magics.end(),
                     [&](std::string_view magic) { return start.starts_with(magic); });
}

}  // namespace tessera::detail
