// SPDX-License-Identifier: BSD-3-Clause
#include "buffer.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "image.hpp"

namespace tessera::engine {

namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;

}  // namespace

Buffer::Buffer(std::int64_t floats) : size_(floats) {
  if (floats == 0) return;
  const std::size_t wanted = static_cast<std::size_t>(floats) * sizeof(float);
  const std::size_t alignment = wanted >= huge_page / 2 ? huge_page : 64;
  const std::size_t bytes = (wanted + alignment - 1) / alignment * alignment;
  data_ = static_cast<float*>(std::aligned_alloc(alignment, bytes));
  if (data_ == nullptr) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (alignment == huge_page) madvise(data_, bytes, MADV_HUGEPAGE);
#endif
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Buffer::~Buffer() {
  std::free(data_);
}

BufferPlan plan_buffers(const std::vector<BufferRequest>& requests) {
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return requests[a].floats > requests[b].floats;
  });

  BufferPlan plan;
  plan.offsets.assign(requests.size(), 0);
  std::vector<std::size_t> placed;
  for (const std::size_t index : order) {
    const BufferRequest& request = requests[index];
    const std::int64_t floats = round_up(request.floats, channel_block);
    std::vector<std::pair<std::int64_t, std::int64_t>> taken;  // begin, end
    for (const std::size_t other : placed) {
      const BufferRequest& o = requests[other];
      if (o.first_step <= request.last_step && request.first_step <= o.last_step) {
        taken.emplace_back(plan.offsets[other],
                           plan.offsets[other] + round_up(o.floats, channel_block));
      }
    }
    std::sort(taken.begin(), taken.end());
    std::int64_t offset = 0;
    for (const auto& [begin, end] : taken) {
      if (offset + floats <= begin) break;
      offset = std::max(offset, end);
    }
    plan.offsets[index] = offset;
    plan.floats = std::max(plan.floats, offset + floats);
    placed.push_back(index);
  }
  return plan;
}

}  // namespace tessera::engine
