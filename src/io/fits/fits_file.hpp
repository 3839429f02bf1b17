// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <fitsio.h>
#include <fmt/format.h>

#include <array>
#include <mutex>
#include <utility>

#include "tessera/core/error.hpp"

namespace tessera::detail {

/// cfitsio may be built without its locks: one caller at a time.
inline std::mutex& fits_mutex() {
  static std::mutex mutex;
  return mutex;
}

/// Throws error::Io with cfitsio's words for a status other than 0.
inline void check_fits(int status) {
  if (status == 0) return;
  std::array<char, FLEN_STATUS> text{};
  fits_get_errstatus(status, text.data());
  fits_clear_errmsg();
  throw error::Io(fmt::format("is damaged or no FITS image, cfitsio says: {}", text.data()));
}

/// An open file, closed at the end of the scope.
class FitsFile {
 public:
  FitsFile() = default;
  FitsFile(const FitsFile&) = delete;
  FitsFile& operator=(const FitsFile&) = delete;
  ~FitsFile() {
    int status = 0;
    if (handle_ != nullptr) fits_close_file(handle_, &status);
    fits_clear_errmsg();
  }

  fitsfile** address() { return &handle_; }
  // What cfitsio takes: this class is that handle, closed at the end.
  operator fitsfile*() const { return handle_; }  // NOLINT(google-explicit-constructor)

  void close() {
    int status = 0;
    fits_close_file(std::exchange(handle_, nullptr), &status);
    check_fits(status);
  }

 private:
  fitsfile* handle_ = nullptr;
};

}  // namespace tessera::detail
