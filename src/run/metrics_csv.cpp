// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "tessera/io/atomic_file.hpp"
#include "tessera/run/recorder.hpp"

namespace tessera {

namespace {

using Row = MetricsRow;

double on_gpu(const Row& row, double value) {
  // The CPU has no reserved memory: what is known of it stands in the columns of the process.
  return std::isnan(row.memory.reserved_mb) ? MemoryUse::unknown : value;
}

const std::vector<MetricsColumn>& quality_columns() {
  static const std::vector<MetricsColumn> columns = {
      {"psnr", [](const Row& row) { return row.psnr; }},
      {"ssim", [](const Row& row) { return row.ssim; }},
      {"mse", [](const Row& row) { return row.mse; }},
      {"objective", [](const Row& row) { return row.objective; }}};
  return columns;
}

std::string cell(double value) {
  return std::isfinite(value) ? fmt::format("{:.9g}", value)
                              : (std::isnan(value) ? "" : (value > 0 ? "inf" : "-inf"));
}

void write_csv(const std::string& path, const std::vector<MetricsRow>& rows,
               std::vector<MetricsColumn> columns) {
  columns.insert(columns.begin(),
                 {"iteration", [](const Row& row) { return static_cast<double>(row.iteration); }});
  std::string text;
  for (const MetricsColumn& column : columns) {
    fmt::format_to(std::back_inserter(text), "{}{}", text.empty() ? "" : ",", column.name);
  }
  text += '\n';
  for (const MetricsRow& row : rows) {
    for (const MetricsColumn& column : columns) {
      fmt::format_to(std::back_inserter(text), "{}{}", &column == &columns.front() ? "" : ",",
                     cell(column.value(row)));
    }
    text += '\n';
  }
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace

const std::vector<MetricsColumn>& cost_columns() {
  static const std::vector<MetricsColumn> columns = {
      {"gradient_time_sec", [](const Row& row) { return row.gradient.time_s; }},
      {"denoise_time_sec", [](const Row& row) { return row.denoise.time_s; }},
      {"time", [](const Row& row) { return row.time_s; }},
      {"iteration_time_sec", [](const Row& row) { return row.iteration_time_s; }},
      {"communication_time_sec", [](const Row& row) { return row.communication_s(); }},
      {"waiting_time_sec", [](const Row& row) { return row.waiting_s(); }},
      {"communication_bytes", [](const Row& row) { return static_cast<double>(row.bytes_sent()); }},
      {"gradient_communication_sec", [](const Row& row) { return row.gradient.communication_s; }},
      {"gradient_waiting_sec", [](const Row& row) { return row.gradient.waiting_s; }},
      {"gradient_communication_bytes",
       [](const Row& row) { return static_cast<double>(row.gradient.bytes_sent); }},
      {"denoise_communication_sec", [](const Row& row) { return row.denoise.communication_s; }},
      {"denoise_waiting_sec", [](const Row& row) { return row.denoise.waiting_s; }},
      {"denoise_communication_bytes",
       [](const Row& row) { return static_cast<double>(row.denoise.bytes_sent); }},
      {"gradient_memory_allocated_mb",
       [](const Row& row) { return row.gradient.memory.allocated_mb; }},
      {"gradient_memory_reserved_mb",
       [](const Row& row) { return row.gradient.memory.reserved_mb; }},
      {"gradient_memory_delta_mb", [](const Row& row) { return row.gradient.memory_delta_mb; }},
      {"gradient_memory_peak_mb", [](const Row& row) { return row.gradient.memory.peak_mb; }},
      {"denoise_memory_allocated_mb",
       [](const Row& row) { return row.denoise.memory.allocated_mb; }},
      {"denoise_memory_reserved_mb", [](const Row& row) { return row.denoise.memory.reserved_mb; }},
      {"denoise_memory_delta_mb", [](const Row& row) { return row.denoise.memory_delta_mb; }},
      {"denoise_memory_peak_mb", [](const Row& row) { return row.denoise.memory.peak_mb; }},
      {"gpu_memory_allocated_mb",
       [](const Row& row) { return on_gpu(row, row.memory.allocated_mb); }},
      {"gpu_memory_reserved_mb",
       [](const Row& row) { return on_gpu(row, row.memory.reserved_mb); }},
      {"gpu_memory_max_allocated_mb",
       [](const Row& row) { return on_gpu(row, row.memory.peak_mb); }},
      {"gpu_available_memory_mb",
       [](const Row& row) { return on_gpu(row, row.memory.available_mb); }},
      {"rss_mb", [](const Row& row) { return row.process.allocated_mb; }},
      {"rss_peak_mb", [](const Row& row) { return row.process.peak_mb; }},
      {"relative_change", [](const Row& row) { return row.relative_change; }},
      {"warmup", [](const Row& row) { return row.warmup ? 1.0 : 0.0; }},
      {"repetition", [](const Row& row) { return static_cast<double>(row.repetition); }}};
  return columns;
}

void write_metrics_csv(const std::string& path, const std::vector<MetricsRow>& rows) {
  std::vector<MetricsColumn> columns = quality_columns();
  columns.insert(columns.end(), cost_columns().begin(), cost_columns().end());
  write_csv(path, rows, std::move(columns));
}

void write_rank_csv(const std::string& path, const std::vector<MetricsRow>& rows) {
  write_csv(path, rows, cost_columns());
}

}  // namespace tessera
