// SPDX-License-Identifier: BSD-3-Clause
#include "catch.hpp"
#include "engine/buffer.hpp"

using tessera::engine::Buffer;
using tessera::engine::BufferPlan;
using tessera::engine::BufferRequest;
using tessera::engine::plan_buffers;

TEST_CASE("Buffers whose steps overlap do not overlap, and places are used again") {
  const std::vector<BufferRequest> requests = {{640, 0, 2}, {320, 2, 9},  {320, 3, 8}, {160, 4, 7},
                                               {160, 5, 6}, {640, 8, 10}, {33, 1, 10}, {7, 0, 10}};
  const BufferPlan plan = plan_buffers(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    CHECK(plan.offsets[i] % 16 == 0);
    CHECK(plan.offsets[i] + requests[i].floats <= plan.floats);
    for (std::size_t j = 0; j < i; ++j) {
      const bool together = requests[i].first_step <= requests[j].last_step &&
                            requests[j].first_step <= requests[i].last_step;
      const bool apart = plan.offsets[i] + requests[i].floats <= plan.offsets[j] ||
                         plan.offsets[j] + requests[j].floats <= plan.offsets[i];
      CHECK((!together || apart));
    }
  }
  // Step 8 needs 640 + 320 + 320 and the two small ones.
  CHECK(plan.floats == 640 + 320 + 320 + 48 + 16);
}

TEST_CASE("A buffer lies on a cache line and can be moved") {
  Buffer a(1000);
  Buffer large(1 << 20);
  CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % 64 == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(large.data()) % (2 << 20) == 0);
  float* const data = a.data();
  Buffer b = std::move(a);
  CHECK(b.data() == data);
  CHECK(b.size() == 1000);
  b = Buffer(10);
  CHECK(b.size() == 10);
  CHECK(Buffer().empty());
}
