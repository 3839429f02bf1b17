// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "tessera/core/error.hpp"

/// What libFuzzer calls; replay.cpp calls it with the files of a corpus.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace test {

/// The bytes as a file in memory, so that the public functions are tested as they are.
class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* data, std::size_t size) : descriptor_(::memfd_create("input", 0)) {
    if (descriptor_ < 0) std::abort();
    while (size > 0) {
      const ssize_t written = ::write(descriptor_, data, size);
      if (written <= 0) std::abort();
      data += written;
      size -= static_cast<std::size_t>(written);
    }
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// Runs a reader on the bytes; it may refuse them with error::Io, and do nothing else.
template <class Reader>
int read_or_refuse(const std::uint8_t* data, std::size_t size, const Reader& read) {
  const MemoryFile file(data, size);
  try {
    read(file.path());
  } catch (const tessera::error::Io&) {
  }
  return 0;
}

}  // namespace test
