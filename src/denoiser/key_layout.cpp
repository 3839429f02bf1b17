// SPDX-License-Identifier: BSD-3-Clause
#include "key_layout.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

constexpr std::size_t shown_problems = 8;

bool is_unknown(std::int64_t extent) {
  return extent < 0;
}
std::size_t index_of(std::int64_t extent) {
  return static_cast<std::size_t>(-1 - extent);
}

/// For each unknown, the positive value that most given parameters of the right dimension agree on;
/// -1 if none tells.
std::vector<std::int64_t> vote(const StateDict& weights,
                               const std::vector<ExpectedParameter>& layout,
                               std::size_t unknown_count) {
  std::vector<std::map<std::int64_t, int>> votes(unknown_count);
  for (const ExpectedParameter& expected : layout) {
    const auto found = weights.find(expected.key);
    if (found == weights.end() || !found->second.defined()) continue;
    const at::IntArrayRef shape = found->second.sizes();
    if (shape.size() != expected.shape.size()) continue;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      const std::int64_t extent = expected.shape[axis];
      if (is_unknown(extent) && shape[axis] > 0) ++votes[index_of(extent)][shape[axis]];
    }
  }
  std::vector<std::int64_t> values(unknown_count, -1);
  for (std::size_t i = 0; i < unknown_count; ++i) {
    const auto winner = std::max_element(votes[i].begin(), votes[i].end(),
                                         [](auto& a, auto& b) { return a.second < b.second; });
    if (winner != votes[i].end()) values[i] = winner->first;
  }
  return values;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::vector<std::string> extents;
  for (const std::int64_t extent : shape) {
    extents.push_back(is_unknown(extent) ? "?" : fmt::format("{}", extent));
  }
  return fmt::format("[{}]", fmt::join(extents, ", "));
}

std::vector<std::int64_t> resolved(std::vector<std::int64_t> shape,
                                   const std::vector<std::int64_t>& unknowns) {
  for (std::int64_t& extent : shape) {
    if (is_unknown(extent)) extent = unknowns[index_of(extent)];
  }
  return shape;
}

bool fits(const Tensor& tensor, const std::vector<std::int64_t>& shape) {
  return tensor.defined() && tensor.is_floating_point() && tensor.sizes() == at::IntArrayRef(shape);
}

}  // namespace

std::optional<std::vector<std::int64_t>> match(std::string_view key, std::string_view pattern) {
  constexpr std::size_t most_digits = 3;
  std::vector<std::int64_t> numbers;
  std::size_t at = 0;
  for (const char expected : pattern) {
    if (expected != '#') {
      if (at == key.size() || key[at++] != expected) return std::nullopt;
      continue;
    }
    const std::size_t first = at;
    std::int64_t number = 0;
    while (at < key.size() && key[at] >= '0' && key[at] <= '9' && at - first < most_digits) {
      number = 10 * number + (key[at++] - '0');
    }
    if (at == first) return std::nullopt;
    numbers.push_back(number);
  }
  if (at != key.size()) return std::nullopt;
  return numbers;
}

FittedLayout fit(const StateDict& weights, const std::vector<ExpectedParameter>& layout,
                 std::size_t unknown_count, const std::string& who) {
  FittedLayout fitted{{}, vote(weights, layout, unknown_count)};
  std::vector<std::string> problems;
  std::set<std::string_view> expected_keys;
  for (const ExpectedParameter& expected : layout) {
    expected_keys.insert(expected.key);
    const std::vector<std::int64_t> shape = resolved(expected.shape, fitted.unknowns);
    const auto found = weights.find(expected.key);
    if (found == weights.end()) {
      problems.push_back(fmt::format("missing {} {}", expected.key, shape_text(shape)));
    } else if (!fits(found->second, shape)) {
      problems.push_back(fmt::format("{} is {}, expected floating {}", expected.key,
                                     describe(found->second), shape_text(shape)));
    } else {
      fitted.parameters.push_back(found->second);
    }
  }
  for (const auto& [key, tensor] : weights) {
    if (expected_keys.count(key) != 0) continue;
    problems.push_back(fmt::format("unexpected {} {}", key, describe(tensor)));
  }
  if (problems.empty()) return fitted;

  const std::size_t hidden =
      problems.size() > shown_problems ? problems.size() - shown_problems : 0;
  problems.resize(problems.size() - hidden);
  if (hidden > 0) problems.push_back(fmt::format("and {} more", hidden));
  throw error::ShapeMismatch(
      fmt::format("{}: the weights ({} parameters given, {} expected) do not fit: {}", who,
                  weights.size(), layout.size(), fmt::join(problems, "; ")));
}

}  // namespace tessera::detail
