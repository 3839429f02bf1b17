// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tessera {

/// A file that appears whole or not at all: bytes go to a temporary file in the same folder, which
/// commit() renames to `path`. A reader, or a crash, never sees half of it, and an older file of
/// that name stays as it was until then. If `path` is a symbolic link, the file it points to is
/// replaced.
class AtomicFile {
 public:
  /// Throws error::Io if the folder cannot be written, or if `path` is something other than a plain
  /// file.
  explicit AtomicFile(const std::string& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  /// Removes the temporary file unless commit() succeeded.
  ~AtomicFile();

  /// Appends bytes. Throws error::Io, e.g. when the disk is full.
  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// The file until then: others may write into it too.
  const std::string& temporary() const { return temporary_; }

  /// Flushes to the disk and renames. Throws error::Io; call once, write nothing after it.
  void commit();

  /// Removes the temporary files that killed writers of `path` left behind. One that is being
  /// written now cannot be told from them: its commit() would fail.
  static void remove_leftovers(const std::string& path);

 private:
  [[noreturn]] void fail(const std::string& what) const;
  void close_and_remove() noexcept;
  static std::string resolve(const std::string& path);

  std::string path_;
  std::string temporary_;  // empty: nothing to remove
  int descriptor_ = -1;
};

}  // namespace tessera
