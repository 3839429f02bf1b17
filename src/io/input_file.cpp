// SPDX-License-Identifier: BSD-3-Clause
#include "io/input_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

[[noreturn]] void fail(const char* what) {
  throw error::Io(fmt::format("{}: {}", what, std::generic_category().message(errno)));
}

}  // namespace

InputFile::InputFile(const std::string& path) {
  struct stat status {};
  // Asked before opening: opening a pipe would wait for its writer.
  if (::stat(path.c_str(), &status) != 0) fail("cannot open");
  if (S_ISDIR(status.st_mode)) throw error::Io("is a directory, not a file");
  if (!S_ISREG(status.st_mode)) throw error::Io("is not a plain file");
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) fail("cannot open");
  if (::fstat(descriptor_, &status) != 0 || status.st_size == 0) {
    ::close(descriptor_);
    throw error::Io("is empty");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

void InputFile::read(std::uint64_t offset, void* into, std::uint64_t count) const {
  if (offset > size_ || count > size_ - offset) {
    throw error::Io(fmt::format("is truncated: it has {} bytes, and {} are needed from byte {} on",
                                size_, count, offset));
  }
  auto* target = static_cast<char*>(into);
  while (count > 0) {
    constexpr std::uint64_t chunk = std::uint64_t{1} << 30;
    const ssize_t got =
        ::pread(descriptor_, target, std::min(count, chunk), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("cannot read");
    if (got == 0) throw error::Io("became shorter while it was read");
    target += got;
    offset += static_cast<std::uint64_t>(got);
    count -= static_cast<std::uint64_t>(got);
  }
}

std::string InputFile::read(std::uint64_t offset, std::uint64_t count) const {
  std::string bytes;
  if (offset <= size_ && count <= size_ - offset) bytes.resize(count);
  read(offset, bytes.data(), count);
  return bytes;
}

}  // namespace tessera::detail
