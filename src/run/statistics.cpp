// SPDX-License-Identifier: BSD-3-Clause
#include "statistics.hpp"

#include <algorithm>
#include <cmath>

namespace tessera::detail {

Spread spread(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return {MetricsRow::unknown, MetricsRow::unknown, MetricsRow::unknown};
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
  return {median, values.front(), values.back()};
}

const std::vector<MetricsColumn>& quantities() {
  using Row = MetricsRow;
  static const std::vector<MetricsColumn> all = {
      {"iteration_time_sec", [](const Row& row) { return row.iteration_time_s; }},
      {"gradient_time_sec", [](const Row& row) { return row.gradient.time_s; }},
      {"denoise_time_sec", [](const Row& row) { return row.denoise.time_s; }},
      {"gradient_compute_sec", [](const Row& row) { return row.gradient.compute_s(); }},
      {"denoise_compute_sec", [](const Row& row) { return row.denoise.compute_s(); }},
      {"communication_time_sec", [](const Row& row) { return row.communication_s(); }},
      {"waiting_time_sec", [](const Row& row) { return row.waiting_s(); }},
      {"communication_bytes", [](const Row& row) { return static_cast<double>(row.bytes_sent()); }},
      {"memory_peak_mb", [](const Row& row) { return row.memory.peak_mb; }},
      {"rss_mb", [](const Row& row) { return row.process.allocated_mb; }},
      {"rss_peak_mb", [](const Row& row) { return row.process.peak_mb; }}};
  return all;
}

std::vector<double> measured(const std::vector<MetricsRow>& rows, const MetricsColumn& quantity) {
  std::vector<double> counted;
  std::vector<double> all;
  for (const MetricsRow& row : rows) {
    all.push_back(quantity.value(row));
    if (!row.warmup) counted.push_back(all.back());
  }
  return counted.empty() ? all : counted;
}

}  // namespace tessera::detail
