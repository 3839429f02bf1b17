// SPDX-License-Identifier: BSD-3-Clause
#include "restore/matrix_market.hpp"

#include <ATen/ops/sparse_coo_tensor.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "tessera/core/error.hpp"

namespace restore {

using namespace tessera;

namespace {

constexpr std::string_view blanks = " \t\r";

/// The next word of a line, which is taken from it; empty at its end.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

/// Three numbers and no more.
std::optional<std::array<double, 3>> three_numbers(std::string_view line) {
  std::array<double, 3> numbers = {};
  for (double& number : numbers) {
    const std::string_view word = next_word(line);
    const char* const end = word.data() + word.size();
    const auto [stop, failure] = std::from_chars(word.data(), end, number);
    if (word.empty() || failure != std::errc() || stop != end) return std::nullopt;
  }
  if (!next_word(line).empty()) return std::nullopt;
  return numbers;
}

bool is_integer_within(double value, double low, double high) {
  return value >= low && value <= high && value == std::floor(value);
}

class MatrixMarketReader {
 public:
  explicit MatrixMarketReader(const std::string& path)
      : path_(path), file_(path, std::ios::binary) {
    if (!file_) throw error::Io(fmt::format("{}: cannot open", path));
  }

  Tensor read() {
    constexpr double most = 1e9;
    read_banner();
    const auto [rows, columns, count] = numbers("rows, columns and the number of entries");
    if (!is_integer_within(rows, 1, most) || !is_integer_within(columns, 1, most) ||
        !is_integer_within(count, 0, most) || (is_symmetric_ && rows != columns)) {
      refuse(fmt::format("is a {}matrix of {} x {} with {} entries, expected {}",
                         is_symmetric_ ? "symmetric " : "", rows, columns, count,
                         is_symmetric_ ? "a square one" : "whole numbers from 1 to 1e9"));
    }
    for (auto left = static_cast<std::int64_t>(count); left > 0; --left) {
      const auto [row, column, value] = numbers("row, column and value");
      if (!is_integer_within(row, 1, rows) || !is_integer_within(column, 1, columns) ||
          !std::isfinite(value)) {
        refuse(fmt::format("the entry {} at ({}, {}) is not finite, or not in a matrix of {} x {}",
                           value, row, column, rows, columns));
      }
      add(row, column, value);
      if (is_symmetric_ && row != column) add(column, row, value);
    }
    if (next_line()) refuse(fmt::format("goes on after its {} entries", count));
    const Tensor places =
        at::tensor(places_, at::kLong).view({std::ssize(values_), 2}).t().contiguous();
    return at::sparse_coo_tensor(
        places, at::tensor(values_, at::kDouble),
        {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)});
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw error::Io(fmt::format("{}:{}: {}", path_, line_number_, what));
  }

  void read_banner() {
    std::getline(file_, line_);
    ++line_number_;
    for (char& c : line_) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    std::string_view rest = line_;
    std::array<std::string_view, 5> words = {};
    for (std::string_view& word : words) word = next_word(rest);
    const auto& [banner, object, format, field, symmetry] = words;
    is_symmetric_ = symmetry == "symmetric";
    const bool is_known = banner == "%%matrixmarket" && object == "matrix" &&
                          format == "coordinate" && (field == "real" || field == "integer") &&
                          (symmetry == "general" || is_symmetric_);
    if (is_known) return;
    refuse("expected \"%%MatrixMarket matrix coordinate real general\", or integer, or symmetric");
  }

  /// The next line that is neither empty nor a comment.
  bool next_line() {
    while (std::getline(file_, line_)) {
      ++line_number_;
      if (line_.find_first_not_of(blanks) != std::string::npos && line_.front() != '%') return true;
    }
    return false;
  }

  std::array<double, 3> numbers(std::string_view what) {
    if (!next_line()) refuse(fmt::format("ends, expected {}", what));
    const auto found = three_numbers(line_);
    if (!found) refuse(fmt::format("expected {}, three numbers", what));
    return *found;
  }

  void add(double row, double column, double value) {
    places_.push_back(static_cast<std::int64_t>(row) - 1);
    places_.push_back(static_cast<std::int64_t>(column) - 1);
    values_.push_back(value);
  }

  std::string path_;
  std::ifstream file_;
  std::string line_;
  std::int64_t line_number_ = 0;
  bool is_symmetric_ = false;
  std::vector<std::int64_t> places_;  // row, column, row, column, ...
  std::vector<double> values_;
};

}  // namespace

Tensor read_matrix_market(const std::string& path) {
  return MatrixMarketReader(path).read();
}

}  // namespace restore
