// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tiffio.h>

#include <cstdarg>
#include <string>

#include "io/input_file.hpp"
#include "io/output_file.hpp"

namespace tessera::detail {

/// A TIFF file on the disk, or a new one in memory, open through libtiff. Messages of libtiff are
/// kept, never printed.
class TiffStream {
 public:
  /// Opens `file` for reading; it must outlive this.
  explicit TiffStream(const InputFile& file);
  /// Opens an empty file for writing, with 64-bit offsets if `big`.
  explicit TiffStream(bool big);
  /// The same on the disk, in `file`, which is empty and must outlive this.
  TiffStream(OutputFile& file, bool big);
  TiffStream(const TiffStream&) = delete;
  TiffStream& operator=(const TiffStream&) = delete;
  ~TiffStream();

  TIFF* handle() const { return handle_; }

  /// Throws error::Io with libtiff's last message, or `otherwise` if there is none.
  [[noreturn]] void fail(const char* otherwise) const;

  /// Finishes writing and returns the file, if it is in memory.
  std::string finish();

 private:
  void open(const char* mode);
  static int keep_error(TIFF*, void* self, const char* module, const char* format,
                        std::va_list arguments);
  static int judge_warning(TIFF*, void* self, const char* module, const char* format,
                           std::va_list arguments);
  static tmsize_t read(thandle_t self, void* target, tmsize_t count);
  static tmsize_t write(thandle_t self, void* source, tmsize_t count);
  static toff_t seek(thandle_t self, toff_t offset, int whence);
  static toff_t size(thandle_t self);

  const InputFile* source_ = nullptr;  // reading
  OutputFile* target_ = nullptr;       // writing to the disk
  std::uint64_t length_ = 0;           // of what was written there
  std::string written_;                // writing to memory
  std::uint64_t position_ = 0;
  std::string message_;
  TIFF* handle_ = nullptr;
};

}  // namespace tessera::detail
