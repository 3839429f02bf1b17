// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <numeric>
#include <string>
#include <vector>

#include "tessera/comm/communicator.hpp"

namespace tessera::detail {

/// Collective. A short text of every rank, in rank order.
std::vector<std::string> gather_texts(Communicator& world, const std::string& mine);

inline std::vector<std::string> gather_texts(Communicator& world, const std::string& mine) {
  Communicator& control = world.control();
  const auto ranks = static_cast<std::size_t>(control.size());
  const auto length = static_cast<std::int64_t>(mine.size());
  std::vector<std::int64_t> lengths(ranks);
  control.all_gather(&length, lengths.data(), std::vector<std::int64_t>(ranks, 1), DataType::i64);
  std::string all(
      static_cast<std::size_t>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0})),
      '\0');
  control.all_gather(mine.data(), all.data(), lengths, DataType::u8);
  std::vector<std::string> texts;
  std::size_t begin = 0;
  for (const std::int64_t each : lengths) {
    texts.push_back(all.substr(begin, static_cast<std::size_t>(each)));
    begin += static_cast<std::size_t>(each);
  }
  return texts;
}

}  // namespace tessera::detail
