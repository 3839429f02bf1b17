// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <chrono>
#include <string>
#include <thread>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/comm/tensor_view.hpp"
#include "tessera/core/error.hpp"
#include "world.hpp"

using namespace tessera;

namespace {

/// What rank `rank` gives: all ranks can compute it.
Tensor given(int rank, at::IntArrayRef shape) {
  return test::indexed(shape, 0.9 * rank);
}

}  // namespace

TEST_CASE("tensors: over all ranks as on one") {
  Communicator& ranks = *test::world();
  const int size = ranks.size();
  const int rank = ranks.rank();

  Tensor reduced = given(rank, {4, 3}).t();  // strided
  Tensor expected = at::zeros({3, 4}, at::kDouble);
  for (int other = 0; other < size; ++other) expected += given(other, {4, 3}).t();
  all_reduce(ranks, reduced);
  CHECK(test::relative_error(reduced, expected) < 1e-14);

  Tensor from_last = given(rank, {5}).to(at::kFloat);
  broadcast(ranks, from_last, size - 1);
  CHECK(at::equal(from_last, given(size - 1, {5}).to(at::kFloat)));

  std::vector<std::int64_t> counts;
  std::vector<Tensor> parts;
  for (int other = 0; other < size; ++other) {
    counts.push_back(other == 1 ? 0 : 2 + other);
    parts.push_back(given(other, {counts.back()}));
  }
  CHECK(
      at::equal(all_gather(ranks, parts[static_cast<std::size_t>(rank)], counts), at::cat(parts)));

  Tensor total = at::zeros_like(at::cat(parts));
  std::int64_t first = 0;
  for (int other = 0; other < size; ++other) {
    total += given(other, {total.numel()});
    if (other < rank) first += counts[static_cast<std::size_t>(other)];
  }
  const Tensor mine = reduce_scatter(ranks, given(rank, {total.numel()}), counts);
  CHECK(mine.numel() == counts[static_cast<std::size_t>(rank)]);
  if (mine.numel() > 0)
    CHECK(test::relative_error(mine, total.narrow(0, first, mine.numel())) < 1e-14);
}

TEST_CASE("tensors: sent around a ring, strided at both ends; ranks without messages take part") {
  Communicator& ranks = *test::world();
  const int size = ranks.size();
  const int rank = ranks.rank();
  const Tensor received = at::zeros({4, 3}, at::kDouble).t();
  const TensorMessage send{(rank + 1) % size, given(rank, {4, 3}).t()};
  const TensorMessage receive{(rank + size - 1) % size, received};
  exchange(ranks, {&send, 1}, {&receive, 1});
  CHECK(at::equal(received, given((rank + size - 1) % size, {4, 3}).t()));

  if (size > 1) {  // from rank 0 to the last rank alone
    const Tensor landed = at::zeros({2}, at::kDouble);
    const TensorMessage to_last{size - 1, given(0, {2})};
    const TensorMessage from_first{0, landed};
    exchange(ranks, {&to_last, rank == 0 ? 1u : 0u}, {&from_first, rank == size - 1 ? 1u : 0u});
    if (rank == size - 1) CHECK(at::equal(landed, given(0, {2})));
  }
}

TEST_CASE("tensors: a refusal names the rank") {
  Communicator& ranks = *test::world();
  if (ranks.size() == 1) return;
  CHECK_THROWS_WITH(view(at::zeros({2}, at::kHalf), ranks),
                    Catch::Matchers::EndsWith("(rank " + std::to_string(ranks.rank()) + " of " +
                                              std::to_string(ranks.size()) + ")"));
}

TEST_CASE("counting: calls, bytes and seconds by kind, flags apart") {
  CountingCommunicator counting(test::world());
  const int size = counting.size();
  Tensor image = at::zeros({100}, at::kFloat);
  all_reduce(counting, image);
  all_reduce(counting, image);
  broadcast(counting, image, size - 1);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(size), 10);
  all_gather(counting, at::zeros({10}, at::kDouble), counts);
  reduce_scatter(counting, at::zeros({10 * size}, at::kDouble), counts);
  const TensorMessage send{(counting.rank() + 1) % size, at::zeros({7}, at::kDouble)};
  const TensorMessage receive{(counting.rank() + size - 1) % size, at::zeros({7}, at::kDouble)};
  exchange(counting, {&send, 1}, {&receive, 1});
  std::int64_t flag = 1;
  counting.control().all_reduce(&flag, 1, DataType::i64, Reduction::sum);
  counting.control().control().all_reduce(&flag, 1, DataType::i64, Reduction::max);

  const bool alone = size == 1;
  CHECK(counting.data(Collective::all_reduce).calls == 2);
  CHECK(counting.data(Collective::all_reduce).bytes_sent == (alone ? 0 : 800));
  CHECK(counting.data(Collective::broadcast).calls == 1);
  CHECK(counting.data(Collective::broadcast).bytes_sent ==
        (!alone && counting.rank() == size - 1 ? 400 : 0));
  CHECK(counting.data(Collective::all_gather).bytes_sent == (alone ? 0 : 80));
  CHECK(counting.data(Collective::reduce_scatter).bytes_sent == (alone ? 0 : 80 * size));
  CHECK(counting.data(Collective::exchange).bytes_sent == (alone ? 0 : 56));
  CHECK(counting.data().calls == 6);
  CHECK(counting.data().seconds > 0);
  CHECK(counting.flags(Collective::all_reduce).calls == 2);
  CHECK(counting.flags().bytes_sent == (alone ? 0 : 16));

  counting.reset();
  CHECK(counting.data().calls == 0);
  CHECK(counting.flags().calls == 0);
  CHECK(counting.data().seconds == 0);
}

TEST_CASE("counting: waiting for a late rank is seen by the others") {
  CountingCommunicator counting(test::world());
  if (counting.size() == 1) return;
  counting.barrier();
  counting.reset();
  const double late_s = 0.8;  // far more than the others may be late by themselves
  if (counting.is_root()) std::this_thread::sleep_for(std::chrono::duration<double>(late_s));
  counting.barrier();
  if (!counting.is_root()) CHECK(counting.data(Collective::barrier).seconds > 0.25 * late_s);
}
