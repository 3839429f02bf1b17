// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>

/// The parts of report.html, compiled in from the files of the same names in src/report.
namespace tessera::detail {

extern const std::string_view template_html;
extern const std::string_view template_css;
extern const std::string_view template_plots_js;
extern const std::string_view template_page_js;

/// plotly.js; empty if it was not found when tessera was built.
std::string_view plotly_js();

}  // namespace tessera::detail
