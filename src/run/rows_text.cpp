// SPDX-License-Identifier: BSD-3-Clause
#include "rows_text.hpp"

#include <fmt/format.h>

#include <charconv>
#include <iterator>

#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

constexpr std::string_view tag = "tessera rows 1";

static_assert(sizeof(MetricsRow) == 36 * sizeof(double), "every member is named in each_field()");

template <typename Use, typename Visit>
void each_field_of_memory(const std::string& of, Use& use, Visit&& visit) {
  visit(of + ".allocated_mb", use.allocated_mb);
  visit(of + ".reserved_mb", use.reserved_mb);
  visit(of + ".peak_mb", use.peak_mb);
  visit(of + ".available_mb", use.available_mb);
}

template <typename Costs, typename Visit>
void each_field_of_costs(const std::string& of, Costs& costs, Visit&& visit) {
  visit(of + ".time_s", costs.time_s);
  visit(of + ".communication_s", costs.communication_s);
  visit(of + ".waiting_s", costs.waiting_s);
  visit(of + ".bytes_sent", costs.bytes_sent);
  each_field_of_memory(of + ".memory", costs.memory, visit);
  visit(of + ".memory_delta_mb", costs.memory_delta_mb);
}

/// Calls visit(name, member) for each number in a row, in the order of the text.
template <typename Row, typename Visit>
void each_field(Row& row, Visit&& visit) {
  visit("repetition", row.repetition);
  visit("iteration", row.iteration);
  visit("warmup", row.warmup);
  visit("psnr", row.psnr);
  visit("ssim", row.ssim);
  visit("mse", row.mse);
  visit("objective", row.objective);
  visit("relative_change", row.relative_change);
  each_field_of_costs("gradient", row.gradient, visit);
  each_field_of_costs("denoise", row.denoise, visit);
  visit("iteration_time_s", row.iteration_time_s);
  visit("time_s", row.time_s);
  each_field_of_memory("memory", row.memory, visit);
  each_field_of_memory("process", row.process, visit);
}

std::string names() {
  std::string line;
  const MetricsRow row;
  each_field(row, [&line](const std::string& name, const auto& /*value*/) {
    line += (line.empty() ? "" : ",") + name;
  });
  return line;
}

[[noreturn]] void refuse(const std::string& why) {
  throw error::InvalidArgument("Recorder.restore: what was saved " + why);
}

/// Takes what comes before `end` off the front of `text`, and the end.
std::string_view taken(std::string_view& text, char end) {
  const std::size_t size = text.find(end);
  if (size == std::string_view::npos) refuse("is too short");
  const std::string_view piece = text.substr(0, size);
  text.remove_prefix(size + 1);
  return piece;
}

template <typename Number>
void read_number(std::string_view text, const std::string& name, Number& value) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) {
    refuse(fmt::format("has '{}' as {}", text, name));
  }
}

void read_number(std::string_view text, const std::string& name, bool& value) {
  int number = 0;
  read_number(text, name, number);
  value = number != 0;
}

}  // namespace

std::string rows_to_text(const std::vector<MetricsRow>& rows) {
  std::string text = fmt::format("{}\n{}\n{}\n", tag, rows.size(), names());
  for (const MetricsRow& row : rows) {
    each_field(row, [&text](const std::string& /*name*/, const auto& value) {
      fmt::format_to(std::back_inserter(text), "{},", +value);
    });
    text.back() = '\n';
  }
  return text;
}

std::vector<MetricsRow> rows_from_text(std::string_view text) {
  if (!text.starts_with(tag)) refuse(fmt::format("is no '{}'", tag));
  if (taken(text, '\n') != tag) refuse(fmt::format("is no '{}'", tag));
  std::size_t count = 0;
  read_number(taken(text, '\n'), "the number of rows", count);
  if (taken(text, '\n') != names()) refuse("has the fields of another version");
  std::vector<MetricsRow> rows;
  for (std::size_t i = 0; i < count; ++i) {
    std::string line(taken(text, '\n'));
    line += ',';
    std::string_view rest = line;
    each_field(rows.emplace_back(), [&rest](const std::string& name, auto& value) {
      read_number(taken(rest, ','), name, value);
    });
    if (!rest.empty()) refuse("has too many values in a row");
  }
  if (!text.empty()) refuse("has more than its rows");
  return rows;
}

}  // namespace tessera::detail
