#include "tessera/comm/same_on_all_ranks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "fnv_hash.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"

namespace tessera {
namespace {

/// Names and values, each followed by a zero.
std::string packed(const NamedValues& values) {
  std::string text;
  for (const auto& [name, value] : values) {
    for (const std::string* part : {&name, &value}) {
      text += *part;
      text += '\0';
    }
  }
  return text;
}

NamedValues unpacked(const std::string& text) {
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
NamedValues of_first_rank(Communicator& communicator, std::string_view who, std::string mine,
                          std::int64_t bytes) {
  return committed(communicator, who, [&] {
    mine.resize(static_cast<std::size_t>(bytes));
    communicator.control().broadcast(mine.data(), bytes, DataType::u8, 0);
    return unpacked(mine);
  });
}

/// Throws what the first difference is.
void check_like(const NamedValues& first, const NamedValues& mine, std::string_view who, int rank) {
  const auto text = [&](const NamedValues& values, const std::string& name) -> std::string {
    const auto found = std::find_if(values.begin(), values.end(),
                                    [&](const auto& value) { return value.first == name; });
    return found == values.end() ? "not there" : found->second;
  };
  const auto complain = [&](const std::string& name) {
    throw error::InvalidArgument(
        fmt::format("{}: {} is {} on rank 0 and {} on rank {}, expected the same on all ranks", who,
                    name, text(first, name), text(mine, name), rank));
  };
  for (std::size_t i = 0; i < std::max(first.size(), mine.size()); ++i) {
    if (i >= mine.size()) complain(first[i].first);
    if (i >= first.size() || first[i] != mine[i]) complain(mine[i].first);
  }
}

}  // namespace

void same_on_all_ranks(Communicator& communicator, std::string_view who,
                       const NamedValues& values) {
  if (communicator.size() == 1) return;
  const std::string mine = packed(values);
  detail::FnvHash digest;
  digest.add(mine);
  const std::int64_t hash = digest.value();
  const auto bytes = static_cast<std::int64_t>(mine.size());
  // Opposite maxima of h and -h: all have the same. The last is rank 0's number of bytes.
  std::array<std::int64_t, 3> maxima = {hash, -hash, communicator.is_root() ? bytes : 0};
  agree(communicator, who, nullptr, maxima);
  if (maxima[0] == -maxima[1]) return;
  const NamedValues first = of_first_rank(communicator, who, mine, maxima[2]);
  guarded(communicator, who, [&] { check_like(first, values, who, communicator.rank()); });
}

}  // namespace tessera
