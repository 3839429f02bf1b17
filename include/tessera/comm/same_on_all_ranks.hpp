// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/comm/detail/fnv_hash.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// Names and what they stand at.
using NamedValues = std::vector<std::pair<std::string, std::string>>;

/// Collective. Returns if every rank gives the same values, in the same order. Otherwise throws
/// error::RankFailure on every rank with the first that differs: "who: --seed is 42 on rank 0 and
/// 43 on rank 1, expected the same on all ranks". For settings and for fingerprints of inputs: a
/// job whose ranks were started with different ones computes something that nobody asked for. Costs
/// one small reduction if all is well.
void same_on_all_ranks(Communicator& communicator, std::string_view who, const NamedValues& values);

/// Collective. The same for names and values in turn, numbers or strings:
/// same_on_all_ranks(ranks, "scatter", "root", root, "the seed", seed).
template <typename Value, typename... More>
void same_on_all_ranks(Communicator& communicator, std::string_view who, std::string_view name,
                       const Value& value, const More&... more);

namespace detail {

/// Names and values, each followed by a zero.
inline std::string packed(const NamedValues& values) {
  std::string text;
  for (const auto& [name, value] : values) {
    for (const std::string* part : {&name, &value}) {
      text += *part;
      text += '\0';
    }
  }
  return text;
}

inline NamedValues unpacked(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\0', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  NamedValues values;
  for (std::size_t i = 0; i + 1 < parts.size(); i += 2) values.emplace_back(parts[i], parts[i + 1]);
  return values;
}

/// What rank 0 gave, on every rank.
inline NamedValues of_first_rank(Communicator& communicator, std::string_view who, std::string mine,
                                 std::int64_t bytes) {
  return committed(communicator, who, [&] {
    mine.resize(static_cast<std::size_t>(bytes));
    communicator.control().broadcast(mine.data(), bytes, DataType::u8, 0);
    return unpacked(mine);
  });
}

/// Throws what the first difference is.
inline void check_same(const NamedValues& first, const NamedValues& mine, std::string_view who,
                       int rank) {
  const auto described = [&](const NamedValues& values, const std::string& name) -> std::string {
    const auto found = std::find_if(values.begin(), values.end(),
                                    [&](const auto& value) { return value.first == name; });
    return found == values.end() ? "not there" : found->second;
  };
  const auto complain = [&](const std::string& name) {
    throw error::InvalidArgument(
        formatted("{}: {} is {} on rank 0 and {} on rank {}, expected the same on all ranks", who,
                  name, described(first, name), described(mine, name), rank));
  };
  for (std::size_t i = 0; i < std::max(first.size(), mine.size()); ++i) {
    if (i >= mine.size()) complain(first[i].first);
    if (i >= first.size() || first[i] != mine[i]) complain(mine[i].first);
  }
}

inline void add_values(NamedValues& /*values*/) {}

template <typename Value, typename... More>
void add_values(NamedValues& values, std::string_view name, const Value& value,
                const More&... more) {
  values.emplace_back(std::string(name), formatted("{}", value));
  add_values(values, more...);
}

}  // namespace detail

inline void same_on_all_ranks(Communicator& communicator, std::string_view who,
                              const NamedValues& values) {
  if (communicator.size() == 1) return;
  const std::string mine = detail::packed(values);
  detail::FnvHash digest;
  digest.add(mine);
  const std::int64_t hash = digest.value();
  const auto bytes = static_cast<std::int64_t>(mine.size());
  // Opposite maxima of h and -h: all have the same. The last is rank 0's number of bytes.
  std::array<std::int64_t, 3> maxima = {hash, -hash, communicator.is_root() ? bytes : 0};
  agree(communicator, who, nullptr, maxima);
  if (maxima[0] == -maxima[1]) return;
  const NamedValues first = detail::of_first_rank(communicator, who, mine, maxima[2]);
  guarded(communicator, who, [&] { detail::check_same(first, values, who, communicator.rank()); });
}

template <typename Value, typename... More>
void same_on_all_ranks(Communicator& communicator, std::string_view who, std::string_view name,
                       const Value& value, const More&... more) {
  NamedValues values;
  detail::add_values(values, name, value, more...);
  same_on_all_ranks(communicator, who, values);
}

}  // namespace tessera
