// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "tessera/core/error.hpp"

/// What libFuzzer calls; replay.cpp calls it with the files of a corpus.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace test {

/// The bytes as a file, so that the public functions are tested as they are. It has a name: the
/// HDF5 library opens no other.
class InputFile {
 public:
  InputFile(const std::uint8_t* data, std::size_t size) : descriptor_(::mkstemp(path_.data())) {
    if (descriptor_ < 0) std::abort();
    while (size > 0) {
      const ssize_t written = ::write(descriptor_, data, size);
      if (written <= 0) std::abort();
      data += written;
      size -= static_cast<std::size_t>(written);
    }
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile() {
    ::close(descriptor_);
    ::unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/dev/shm/tessera_fuzz.XXXXXX";
  int descriptor_;
};

/// Runs a reader on the bytes; it may refuse them with error::Io, and do nothing else.
template <class Reader>
int read_or_refuse(const std::uint8_t* data, std::size_t size, const Reader& read) {
  const InputFile file(data, size);
  try {
    read(file.path());
  } catch (const tessera::error::Io&) {
  }
  return 0;
}

}  // namespace test
