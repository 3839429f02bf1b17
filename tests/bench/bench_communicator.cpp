// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tessera/comm/mpi.hpp"
#include "times.hpp"

// What messages between the ranks of mpiexec take, on the first rank:
//   mpiexec -n 4 bench_communicator

namespace {

using namespace tessera;

/// Numbers of a message, of each rank.
constexpr std::array<std::int64_t, 5> counts_of_messages = {1, 1000, 100000, 1000000, 10000000};
constexpr int rounds = 7;

/// Collective. Prints the median time of `work`, which is collective, of rounds of about 50 ms.
template <typename Work>
void tell(Communicator& ranks, const std::string& what, const Work& work) {
  work();
  double once = bench::seconds(work);
  ranks.all_reduce(&once, 1, DataType::f64, Reduction::max);
  const int repeats = 1 + static_cast<int>(0.05 / once);
  bench::Times times;
  for (int round = 0; round < rounds; ++round) {
    ranks.barrier();
    times.add(bench::seconds([&] {
                for (int repeat = 0; repeat < repeats; ++repeat) work();
              }) /
              repeats);
  }
  if (ranks.rank() == 0) fmt::print("{:30} {:12.1f} us\n", what, 1e6 * times.median());
}

int run(const CommunicatorPtr& ranks) {
  const int size = ranks->size();
  if (ranks->rank() == 0) fmt::print("{} ranks, {}\n", size, mpi_library());
  tell(*ranks, "barrier", [&] { ranks->barrier(); });
  for (const std::int64_t count : counts_of_messages) {
    std::vector<double> whole(static_cast<std::size_t>(count * size));
    std::vector<double> part(static_cast<std::size_t>(count));
    const std::vector<std::int64_t> counts(static_cast<std::size_t>(size), count);
    std::vector<Message> sends;
    std::vector<Message> receives;
    for (int peer = 0; peer < size; ++peer) {
      if (peer == ranks->rank()) continue;
      sends.push_back({peer, part.data(), count});
      receives.push_back({peer, whole.data() + count * peer, count});
    }
    const auto each = [&](const char* what, const auto& work) {
      tell(*ranks, fmt::format("{} of {} float64", what, count), work);
    };
    each("all_reduce",
         [&] { ranks->all_reduce(part.data(), count, DataType::f64, Reduction::sum); });
    each("broadcast", [&] { ranks->broadcast(part.data(), count, DataType::f64, 0); });
    each("all_gather",
         [&] { ranks->all_gather(part.data(), whole.data(), counts, DataType::f64); });
    each("reduce_scatter", [&] {
      ranks->reduce_scatter(whole.data(), part.data(), counts, DataType::f64, Reduction::sum);
    });
    each("exchange", [&] { ranks->exchange(sends, receives, DataType::f64); });
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return tessera::run_with_mpi(argc, argv, "bench_communicator", run);
}
