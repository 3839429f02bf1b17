#include "ranks.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

namespace {

constexpr std::size_t name_length = 64;

}  // namespace

std::vector<std::string> gather_hosts(tessera::Communicator& world) {
  std::array<char, name_length> mine{};
  gethostname(mine.data(), mine.size() - 1);
  const auto ranks = static_cast<std::size_t>(world.size());
  std::vector<char> all(ranks * name_length);
  const std::vector<std::int64_t> counts(ranks, name_length);
  world.control().all_gather(mine.data(), all.data(), counts, tessera::DataType::u8);
  std::vector<std::string> hosts;
  for (std::size_t r = 0; r < ranks; ++r) hosts.emplace_back(all.data() + r * name_length);
  return hosts;
}

int threads_per_rank(int wanted, const std::vector<std::string>& hosts, int rank) {
  if (wanted > 0) return wanted;
  const auto neighbours =
      std::count(hosts.begin(), hosts.end(), hosts[static_cast<std::size_t>(rank)]);
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, cores / static_cast<int>(neighbours));
}
