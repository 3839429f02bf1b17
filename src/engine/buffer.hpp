// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tessera::engine {

/// Float memory on a cache line; large pieces start on a 2 MB boundary and ask the system for 2 MB
/// pages: with 4 KB pages the many streams of a convolution miss the address cache at every turn.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::int64_t floats);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  float* data() { return data_; }
  const float* data() const { return data_; }
  std::int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  float* data_ = nullptr;
  std::int64_t size_ = 0;
};

/// A piece of working memory that the steps first_step .. last_step of a network need.
struct BufferRequest {
  std::int64_t floats = 0;
  int first_step = 0;
  int last_step = 0;
};

/// Where the pieces lie in one common buffer: pieces whose steps overlap do not overlap.
struct BufferPlan {
  std::vector<std::int64_t> offsets;  ///< in floats, one per request
  std::int64_t floats = 0;            ///< of the common buffer
};

/// Places large pieces first, each at the lowest offset that is free during its steps.
BufferPlan plan_buffers(const std::vector<BufferRequest>& requests);

}  // namespace tessera::engine
