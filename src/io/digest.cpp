// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/digest.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <fstream>

#include "tessera/core/error.hpp"

namespace tessera {

namespace {

class Digest {
 public:
  void add(const char* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      hash_ = (hash_ ^ static_cast<unsigned char>(bytes[i])) * 1099511628211u;
    }
  }
  std::string text() const { return fmt::format("{:016x}", hash_); }

 private:
  std::uint64_t hash_ = 14695981039346656037u;
};

}  // namespace

std::string digest_of(const Tensor& tensor) {
  const Tensor host = tensor.to(at::kCPU).contiguous();
  Digest digest;
  digest.add(static_cast<const char*>(host.const_data_ptr()), host.nbytes());
  return digest.text();
}

std::string digest_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw error::Io(fmt::format("{}: cannot open", path));
  Digest digest;
  std::array<char, 65536> buffer{};
  while (file.read(buffer.data(), buffer.size()) || file.gcount() > 0) {
    digest.add(buffer.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) throw error::Io(fmt::format("{}: cannot be read", path));
  return digest.text();
}

}  // namespace tessera
