// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <cstddef>

/// How much memory tensors take.
namespace test {

/// The largest piece of memory that a tensor took while this lives.
class LargestAllocation : public c10::Allocator {
 public:
  LargestAllocation() : inner_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this); }
  ~LargestAllocation() override { c10::SetCPUAllocator(inner_); }
  LargestAllocation(const LargestAllocation&) = delete;
  LargestAllocation& operator=(const LargestAllocation&) = delete;

  std::size_t bytes() const { return largest_; }
  c10::DataPtr allocate(std::size_t bytes) override {
    largest_ = std::max(largest_, bytes);
    return inner_->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  c10::Allocator* inner_;
  std::size_t largest_ = 0;
};

}  // namespace test
