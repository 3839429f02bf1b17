// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <complex>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "catch.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/core/error.hpp"

/// One body of tests for every Communicator, whatever its transport and its memory. Collective;
/// values encode rank and index, as small integers so that sums are exact in every type.
namespace test {

/// How test buffers come to lie where a communicator reads them. Host memory unless said otherwise.
struct Space {
  std::function<void*(std::size_t)> allocate = [](std::size_t bytes) { return std::malloc(bytes); };
  std::function<void(void*)> release = [](void* data) { std::free(data); };
  std::function<void(void*, const void*, std::size_t)> copy =
      [](void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); };
};

/// Values in a Space.
template <typename T>
class Buffer {
 public:
  Buffer(const Space& space, const std::vector<T>& values) : space_(space), size_(values.size()) {
    if (size_ == 0) return;
    data_ = static_cast<T*>(space_.allocate(size_ * sizeof(T)));
    space_.copy(data_, values.data(), size_ * sizeof(T));
  }
  ~Buffer() {
    if (data_ != nullptr) space_.release(data_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* data() { return data_; }
  std::vector<T> values() const {
    std::vector<T> values(size_);
    if (size_ > 0) space_.copy(values.data(), data_, size_ * sizeof(T));
    return values;
  }

 private:
  const Space& space_;
  std::size_t size_;
  T* data_ = nullptr;
};

template <typename T>
constexpr tessera::DataType type_of() {
  using tessera::DataType;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DataType::u8;
  if constexpr (std::is_same_v<T, std::int32_t>) return DataType::i32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DataType::i64;
  if constexpr (std::is_same_v<T, float>) return DataType::f32;
  if constexpr (std::is_same_v<T, double>) return DataType::f64;
  if constexpr (std::is_same_v<T, std::complex<float>>) return DataType::c64;
  if constexpr (std::is_same_v<T, std::complex<double>>) return DataType::c128;
}

template <typename T>
constexpr bool is_complex =
    std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;

/// Element `index` of rank `rank`; sums over 8 ranks fit into uint8.
template <typename T>
T value(int rank, std::int64_t index) {
  const int number = 1 + 3 * rank + static_cast<int>(index % 11);
  if constexpr (is_complex<T>) return T(number, 2 * number + 1);
  return static_cast<T>(number);
}

template <typename T>
std::vector<T> values(int rank, std::int64_t count, std::int64_t first = 0) {
  std::vector<T> result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back(value<T>(rank, first + i));
  return result;
}

/// Elementwise reduction over all ranks of values(rank, count, first).
template <typename T>
std::vector<T> reduced(int ranks, std::int64_t count, tessera::Reduction reduction,
                       std::int64_t first = 0) {
  std::vector<T> result = values<T>(0, count, first);
  for (int rank = 1; rank < ranks; ++rank) {
    for (std::int64_t i = 0; i < count; ++i) {
      T& kept = result[static_cast<std::size_t>(i)];
      const T given = value<T>(rank, first + i);
      if (reduction == tessera::Reduction::sum) kept = static_cast<T>(kept + given);
      if constexpr (!is_complex<T>) {
        if (reduction == tessera::Reduction::min) kept = std::min(kept, given);
        if (reduction == tessera::Reduction::max) kept = std::max(kept, given);
      }
    }
  }
  return result;
}

/// Uneven counts, zero for rank 1: 4, 0, 6, 7, 8, ...
inline std::vector<std::int64_t> uneven_counts(int ranks) {
  std::vector<std::int64_t> counts;
  for (int rank = 0; rank < ranks; ++rank) counts.push_back(rank == 1 ? 0 : 4 + rank);
  return counts;
}

template <typename T>
void check_all_reduce(tessera::Communicator& communicator, const Space& space) {
  using tessera::Reduction;
  for (const Reduction reduction : {Reduction::sum, Reduction::min, Reduction::max}) {
    if (is_complex<T> && reduction != Reduction::sum) {
      T number = 0;
      CHECK_THROWS_AS(communicator.all_reduce(&number, 1, type_of<T>(), reduction),
                      tessera::error::InvalidArgument);
      continue;
    }
    Buffer<T> data(space, values<T>(communicator.rank(), 17));
    communicator.all_reduce(data.data(), 17, type_of<T>(), reduction);
    CHECK(data.values() == reduced<T>(communicator.size(), 17, reduction));
  }
}

template <typename T>
void check_broadcast(tessera::Communicator& communicator, const Space& space) {
  const int root = communicator.size() - 1;
  Buffer<T> data(space, values<T>(communicator.rank(), 9));
  communicator.broadcast(data.data(), 9, type_of<T>(), root);
  CHECK(data.values() == values<T>(root, 9));
}

template <typename T>
void check_all_gather(tessera::Communicator& communicator, const Space& space) {
  const std::vector<std::int64_t> counts = uneven_counts(communicator.size());
  const std::int64_t own = counts[static_cast<std::size_t>(communicator.rank())];
  std::vector<T> expected;
  std::vector<T> with_own_slice;
  std::int64_t offset = 0;
  for (int rank = 0; rank < communicator.size(); ++rank) {
    const std::int64_t count = counts[static_cast<std::size_t>(rank)];
    if (rank == communicator.rank()) offset = static_cast<std::int64_t>(expected.size());
    for (const T each : values<T>(rank, count)) {
      expected.push_back(each);
      with_own_slice.push_back(rank == communicator.rank() ? each : T(0));
    }
  }
  Buffer<T> mine(space, values<T>(communicator.rank(), own));
  Buffer<T> all(space, std::vector<T>(expected.size(), T(0)));
  communicator.all_gather(mine.data(), all.data(), counts, type_of<T>());
  CHECK(all.values() == expected);

  Buffer<T> in_place(space, with_own_slice);
  communicator.all_gather(in_place.data() + offset, in_place.data(), counts, type_of<T>());
  CHECK(in_place.values() == expected);
}

template <typename T>
void check_reduce_scatter(tessera::Communicator& communicator, const Space& space) {
  const std::vector<std::int64_t> counts = uneven_counts(communicator.size());
  std::int64_t total = 0;
  std::int64_t offset = 0;
  for (int rank = 0; rank < communicator.size(); ++rank) {
    if (rank == communicator.rank()) offset = total;
    total += counts[static_cast<std::size_t>(rank)];
  }
  const std::int64_t own = counts[static_cast<std::size_t>(communicator.rank())];
  using tessera::Reduction;
  for (const Reduction reduction : {Reduction::sum, Reduction::min, Reduction::max}) {
    if (is_complex<T> && reduction != Reduction::sum) continue;
    Buffer<T> all(space, values<T>(communicator.rank(), total));
    Buffer<T> mine(space, std::vector<T>(static_cast<std::size_t>(own), T(0)));
    communicator.reduce_scatter(all.data(), mine.data(), counts, type_of<T>(), reduction);
    CHECK(mine.values() == reduced<T>(communicator.size(), own, reduction, offset));
  }
}

/// Every rank sends to every rank, itself included, two messages of different lengths, one of them
/// empty for peer 1.
template <typename T>
void check_exchange(tessera::Communicator& communicator, const Space& space) {
  const int size = communicator.size();
  const int rank = communicator.rank();
  const auto first_count = [](int from, int to) {
    return static_cast<std::int64_t>(to == 1 ? 0 : 3 + from);
  };
  const std::int64_t second_count = 5;
  std::vector<std::unique_ptr<Buffer<T>>> sent;
  std::vector<std::unique_ptr<Buffer<T>>> received;
  std::vector<tessera::Message> sends;
  std::vector<tessera::Message> receives;
  const auto add = [&](auto& buffers, auto& messages, int peer, const std::vector<T>& content) {
    buffers.push_back(std::make_unique<Buffer<T>>(space, content));
    messages.push_back({peer, buffers.back()->data(), static_cast<std::int64_t>(content.size())});
  };
  for (int peer = 0; peer < size; ++peer) {
    add(sent, sends, peer, values<T>(rank, first_count(rank, peer), 2 * peer));
    add(sent, sends, peer, values<T>(rank, second_count, 2 * peer + 1));
    add(received, receives, peer,
        std::vector<T>(static_cast<std::size_t>(first_count(peer, rank)), T(0)));
    add(received, receives, peer, std::vector<T>(static_cast<std::size_t>(second_count), T(0)));
  }
  communicator.exchange(sends, receives, type_of<T>());
  for (int peer = 0; peer < size; ++peer) {
    const std::size_t at = 2 * static_cast<std::size_t>(peer);
    CHECK(received[at]->values() == values<T>(peer, first_count(peer, rank), 2 * rank));
    CHECK(received[at + 1]->values() == values<T>(peer, second_count, 2 * rank + 1));
  }
}

template <typename T>
void check_type(tessera::Communicator& communicator, const Space& space) {
  INFO("size of the type: " << sizeof(T) << (is_complex<T> ? ", complex" : ""));
  check_all_reduce<T>(communicator, space);
  check_broadcast<T>(communicator, space);
  check_all_gather<T>(communicator, space);
  check_reduce_scatter<T>(communicator, space);
  check_exchange<T>(communicator, space);
}

inline void check_all_types(tessera::Communicator& communicator, const Space& space) {
  check_type<std::uint8_t>(communicator, space);
  check_type<std::int32_t>(communicator, space);
  check_type<std::int64_t>(communicator, space);
  check_type<float>(communicator, space);
  check_type<double>(communicator, space);
  check_type<std::complex<float>>(communicator, space);
  check_type<std::complex<double>>(communicator, space);
}

/// A sum that rounds differently in every order must still leave the same bits on every rank.
inline void check_same_bits(tessera::Communicator& communicator, const Space& space) {
  const std::int64_t count = 1001;
  std::vector<double> awkward;
  for (std::int64_t i = 0; i < count; ++i) {
    awkward.push_back(std::sin(1.0 + static_cast<double>(i) + 0.3 * communicator.rank()) *
                      std::pow(10.0, static_cast<double>((i + 5 * communicator.rank()) % 17)));
  }
  Buffer<double> data(space, awkward);
  communicator.all_reduce(data.data(), count, tessera::DataType::f64, tessera::Reduction::sum);
  std::vector<std::int64_t> bits(static_cast<std::size_t>(count));
  std::memcpy(bits.data(), data.values().data(), bits.size() * sizeof(std::int64_t));
  std::vector<std::int64_t> least = bits;
  communicator.control().all_reduce(least.data(), count, tessera::DataType::i64,
                                    tessera::Reduction::min);
  std::vector<std::int64_t> largest = bits;
  communicator.control().all_reduce(largest.data(), count, tessera::DataType::i64,
                                    tessera::Reduction::max);
  CHECK(least == largest);
}

/// Odd and even ranks form two groups, ordered from the last rank to the first.
inline void check_split(tessera::Communicator& communicator, const Space& space) {
  const int rank = communicator.rank();
  const tessera::CommunicatorPtr part = communicator.split(rank % 2, -rank);
  REQUIRE(part != nullptr);
  const int members = (communicator.size() + 1 - rank % 2) / 2;
  CHECK(part->size() == members);
  CHECK(part->rank() == members - 1 - rank / 2);
  Buffer<std::int64_t> data(space, {rank});
  part->all_reduce(data.data(), 1, tessera::DataType::i64, tessera::Reduction::sum);
  std::int64_t sum = 0;
  for (int other = rank % 2; other < communicator.size(); other += 2) sum += other;
  CHECK(data.values() == std::vector<std::int64_t>{sum});
}

/// Wrong arguments are refused on the rank that gives them, before anything is sent.
inline void check_refusals(tessera::Communicator& communicator) {
  using namespace tessera;
  using error::InvalidArgument;
  double number = 0;
  const int size = communicator.size();
  std::vector<std::int64_t> ones(static_cast<std::size_t>(size), 1);
  std::vector<std::int64_t> too_many(static_cast<std::size_t>(size) + 1, 1);
  std::vector<std::int64_t> negative(static_cast<std::size_t>(size), -1);
  CHECK_THROWS_AS(communicator.all_reduce(&number, -1, DataType::f64, Reduction::sum),
                  InvalidArgument);
  CHECK_THROWS_AS(communicator.all_reduce(nullptr, 1, DataType::f64, Reduction::sum),
                  InvalidArgument);
  CHECK_THROWS_AS(communicator.broadcast(&number, 1, DataType::f64, size), InvalidArgument);
  CHECK_THROWS_AS(communicator.broadcast(&number, 1, DataType::f64, -1), InvalidArgument);
  CHECK_THROWS_AS(communicator.all_gather(&number, &number, too_many, DataType::f64),
                  InvalidArgument);
  CHECK_THROWS_AS(communicator.all_gather(&number, &number, negative, DataType::f64),
                  InvalidArgument);
  CHECK_THROWS_AS(communicator.all_gather(nullptr, &number, ones, DataType::f64), InvalidArgument);
  CHECK_THROWS_AS(
      communicator.reduce_scatter(nullptr, &number, ones, DataType::f64, Reduction::sum),
      InvalidArgument);
  const Message beyond{size, &number, 1};
  CHECK_THROWS_AS(communicator.exchange({&beyond, 1}, {}, DataType::f64), InvalidArgument);
  const Message to_itself{communicator.rank(), &number, 1};
  CHECK_THROWS_AS(communicator.exchange({&to_itself, 1}, {}, DataType::f64), InvalidArgument);
  CHECK_THROWS_AS(communicator.split(-1, 0), InvalidArgument);
  // Nothing to do is no error, buffers or not.
  communicator.all_reduce(nullptr, 0, DataType::f64, Reduction::sum);
  communicator.broadcast(nullptr, 0, DataType::f64, 0);
  communicator.all_gather(nullptr, nullptr,
                          std::vector<std::int64_t>(static_cast<std::size_t>(size), 0),
                          DataType::f64);
  communicator.exchange({}, {}, DataType::f64);
}

inline void check_communicator(tessera::Communicator& communicator, const Space& space = {}) {
  check_all_types(communicator, space);
  check_same_bits(communicator, space);
  check_split(communicator, space);
  check_refusals(communicator);
  communicator.barrier();
}

}  // namespace test
