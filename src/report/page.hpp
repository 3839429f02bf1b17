// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace tessera::detail {

/// What one page has of its own; style, theme and plots are those of all.
struct Page {
  std::string title = {};        ///< of the window; no markup
  std::string_view body = {};    ///< HTML, with an element main
  std::string_view script = {};  ///< run last, after page.js, which reads the data
  bool has_plotly = false;       ///< 5 MB, for plots that zoom
};

/// One HTML file that needs nothing else, with `data` for its scripts.
std::string text_of(const Page& page, const nlohmann::ordered_json& data);

/// "2026-11-29 13:10 UTC".
std::string time_of_report();

}  // namespace tessera::detail
