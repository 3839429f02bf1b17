// SPDX-License-Identifier: BSD-3-Clause
#include "io/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

constexpr std::uint64_t most_at_once = std::uint64_t{1} << 30;

[[noreturn]] void fail_output(const char* what) {
  throw error::Io(fmt::format("{}: {}", what, std::generic_category().message(errno)));
}

}  // namespace

OutputFile::OutputFile(const std::string& path)
    : descriptor_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
  if (descriptor_ < 0) fail_output("the new file cannot be opened here");
}

OutputFile::~OutputFile() {
  ::close(descriptor_);
}

void OutputFile::resize(std::uint64_t size) {
  if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0)
    fail_output("cannot be made so long");
}

void OutputFile::write(std::uint64_t offset, const void* from, std::uint64_t count) {
  const auto* source = static_cast<const char*>(from);
  while (count > 0) {
    const ssize_t written =
        ::pwrite(descriptor_, source, std::min(count, most_at_once), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_output("writing failed");
    source += written;
    offset += static_cast<std::uint64_t>(written);
    count -= static_cast<std::uint64_t>(written);
  }
}

void OutputFile::read(std::uint64_t offset, void* into, std::uint64_t count) const {
  auto* target = static_cast<char*>(into);
  while (count > 0) {
    const ssize_t got =
        ::pread(descriptor_, target, std::min(count, most_at_once), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_output("reading back failed");
    if (got == 0) throw error::Io("became shorter while it was written");
    target += got;
    offset += static_cast<std::uint64_t>(got);
    count -= static_cast<std::uint64_t>(got);
  }
}

void OutputFile::flush() {
  if (::fsync(descriptor_) != 0 && errno != EINVAL) fail_output("flushing to the disk failed");
}

}  // namespace tessera::detail
