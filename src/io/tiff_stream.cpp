// SPDX-License-Identifier: BSD-3-Clause
#include "io/tiff_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <limits>
#include <utility>

#include "tessera/core/error.hpp"

namespace tessera::detail {

TiffStream::TiffStream(const InputFile& file) : source_(&file) {
  open("rm");
}

TiffStream::TiffStream(bool big) {
  open(big ? "w8" : "w");
}

TiffStream::TiffStream(OutputFile& file, bool big) : target_(&file) {
  open(big ? "w8" : "w");
}

TiffStream::~TiffStream() {
  if (handle_ != nullptr) TIFFClose(handle_);
}

void TiffStream::open(const char* mode) {
  TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
  if (options == nullptr) throw std::bad_alloc();
  TIFFOpenOptionsSetErrorHandlerExtR(options, keep_error, this);
  TIFFOpenOptionsSetWarningHandlerExtR(options, judge_warning, this);
  handle_ = TIFFClientOpenExt(
      "image", mode, this, read, write, seek, [](thandle_t) { return 0; }, size,
      [](thandle_t, void**, toff_t*) { return 0; }, [](thandle_t, void*, toff_t) {}, options);
  TIFFOpenOptionsFree(options);
  if (handle_ == nullptr) fail("cannot be opened");
  if (!message_.empty()) {
    TIFFClose(std::exchange(handle_, nullptr));
    fail("cannot be opened");
  }
}

void TiffStream::fail(const char* otherwise) const {
  throw error::Io(fmt::format("TIFF: {}", message_.empty() ? otherwise : message_.c_str()));
}

std::string TiffStream::finish() {
  const bool flushed = TIFFFlush(handle_) == 1;
  TIFFClose(std::exchange(handle_, nullptr));
  if (!flushed || !message_.empty()) fail("cannot be written");
  return std::move(written_);
}

int TiffStream::keep_error(TIFF* /*tiff*/, void* self, const char* /*module*/, const char* format,
                           std::va_list arguments) {
  // Why the disk took no more says more than what libtiff makes of it.
  const auto& stream = *static_cast<TiffStream*>(self);
  if (stream.target_ != nullptr && !stream.message_.empty()) return 1;
  std::array<char, 300> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  try {
    static_cast<TiffStream*>(self)->message_ = text.data();
  } catch (const std::exception&) {  // out of memory: the caller's own words will do
  }
  return 1;
}

/// libtiff goes on without the tags whose values it cannot read, and pixels change their meaning (a
/// palette becomes grey); that is an error here. All other warnings are about what does not matter.
int TiffStream::judge_warning(TIFF* tiff, void* self, const char* module, const char* format,
                              std::va_list arguments) {
  const bool lost = std::strstr(format, "IO error during reading") != nullptr;
  return lost ? keep_error(tiff, self, module, format, arguments) : 1;
}

tmsize_t TiffStream::read(thandle_t self, void* target, tmsize_t count) {
  auto& stream = *static_cast<TiffStream*>(self);
  const std::uint64_t left = size(self) - std::min<std::uint64_t>(stream.position_, size(self));
  const auto taken = std::min<std::uint64_t>(left, static_cast<std::uint64_t>(count));
  if (taken == 0) return 0;
  try {
    if (stream.source_ != nullptr) {
      stream.source_->read(stream.position_, target, taken);
    } else if (stream.target_ != nullptr) {
      stream.target_->read(stream.position_, target, taken);
    } else {
      std::memcpy(target, stream.written_.data() + stream.position_, taken);
    }
  } catch (const std::exception& failure) {  // not through libtiff
    stream.message_ = failure.what();
    return -1;
  }
  stream.position_ += taken;
  return static_cast<tmsize_t>(taken);
}

tmsize_t TiffStream::write(thandle_t self, void* source, tmsize_t count) {
  auto& stream = *static_cast<TiffStream*>(self);
  if (stream.source_ != nullptr) return -1;
  const auto length = static_cast<std::uint64_t>(count);
  try {
    if (stream.target_ != nullptr) {
      stream.target_->write(stream.position_, source, length);
      stream.length_ = std::max(stream.length_, stream.position_ + length);
    } else {
      if (stream.written_.size() < stream.position_ + length)
        stream.written_.resize(stream.position_ + length);
      std::memcpy(stream.written_.data() + stream.position_, source, length);
    }
  } catch (const error::Io& failure) {  // kept: libtiff has only a code for it
    stream.message_ = failure.what();
    return -1;
  } catch (const std::exception&) {
    return -1;
  }
  stream.position_ += length;
  return count;
}

toff_t TiffStream::seek(thandle_t self, toff_t offset, int whence) {
  auto& stream = *static_cast<TiffStream*>(self);
  if (whence == SEEK_CUR) offset += stream.position_;
  if (whence == SEEK_END) offset += size(self);
  stream.position_ = offset;
  return offset;
}

toff_t TiffStream::size(thandle_t self) {
  const auto& stream = *static_cast<TiffStream*>(self);
  if (stream.source_ != nullptr) return stream.source_->size();
  return stream.target_ != nullptr ? stream.length_ : stream.written_.size();
}

}  // namespace tessera::detail
