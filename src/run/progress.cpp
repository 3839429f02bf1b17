// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/run/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace tessera {

namespace {

constexpr double seconds_between_lines = 5.0;

std::string psnr_text(const Recorder* recorder) {
  if (recorder == nullptr || recorder->rows().empty() || std::isnan(recorder->rows().back().psnr))
    return "";
  return fmt::format("  psnr {:.2f} dB", recorder->rows().back().psnr);
}

}  // namespace

Progress::Progress(std::int64_t total, const Recorder* recorder, std::FILE* stream)
    : total_(total),
      recorder_(recorder),
      stream_(stream),
      is_terminal_(isatty(fileno(stream)) != 0) {}

Observer::Verdict Progress::on_iteration(const Iteration& iteration) {
  const std::int64_t done = iteration.index + 1;
  const bool last = done >= total_;
  const auto now = std::chrono::steady_clock::now();
  if (!is_terminal_ && !last && done > 1 &&
      std::chrono::duration<double>(now - last_line_).count() < seconds_between_lines) {
    return Verdict::proceed;
  }
  last_line_ = now;
  const std::string text = fmt::format("iteration {}/{}{}  {:.1f} s", done, total_,
                                       psnr_text(recorder_), iteration.elapsed_s);
  if (is_terminal_) {
    constexpr std::int64_t width = 30;
    const auto filled = static_cast<std::size_t>(
        std::clamp<std::int64_t>(done * width / std::max<std::int64_t>(total_, 1), 0, width));
    const std::string bar = std::string(filled, '=') + std::string(width - filled, ' ');
    fmt::print(stream_, "\r[{}] {}\033[K{}", bar, text, last ? "\n" : "");
  } else {
    fmt::print(stream_, "{}\n", text);
  }
  std::fflush(stream_);
  return Verdict::proceed;
}

}  // namespace tessera
