// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/comm/detail/fnv_hash.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// Collective over both groups. Of two groups of ranks that this rank belongs to, the one that
/// holds all ranks of the other; `a` if they are the same ranks. Throws error::InvalidArgument, on
/// the ranks of both, if neither does. A few small reductions, none if both are one object.
Communicator& larger_group(Communicator& a, Communicator& b, std::string_view who);

namespace detail {

/// Collective. A number that the ranks of a group have in common, and those of another group by
/// chance alone: it comes from the moment, the process and where that keeps the group.
inline std::int64_t mark_of(Communicator& group, std::string_view who) {
  FnvHash hash;
  hash.add(static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()));
  hash.add(static_cast<std::uint64_t>(::getpid()));
  hash.add(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&group)));
  std::int64_t mark = hash.value();
  agree(group, who, nullptr, {&mark, 1});
  return mark;
}

/// Collective. Whether all ranks of a group give the same number.
inline bool is_common(Communicator& group, std::string_view who, std::int64_t number) {
  std::array<std::int64_t, 2> maxima = {number, -number};
  agree(group, who, nullptr, maxima);
  return maxima[0] == -maxima[1];
}

}  // namespace detail

inline Communicator& larger_group(Communicator& a, Communicator& b, std::string_view who) {
  if (&a == &b || (a.size() == 1 && b.size() == 1)) return a;
  const std::int64_t mark_of_a = detail::mark_of(a, who);
  const std::int64_t mark_of_b = detail::mark_of(b, who);
  const bool b_holds_a = detail::is_common(a, who, mark_of_b);
  const bool a_holds_b = detail::is_common(b, who, mark_of_a);
  bool is_wrong = !a_holds_b && !b_holds_a;
  is_wrong = any_rank(b, who, is_wrong);
  is_wrong = any_rank(a, who, is_wrong);
  if (is_wrong) {
    throw error::InvalidArgument(formatted(
        "{}: two groups of ranks work on one image, of {} and of {} ranks here, expected one of "
        "them to hold the other",
        who, a.size(), b.size()));
  }
  return a_holds_b ? a : b;
}

}  // namespace tessera
