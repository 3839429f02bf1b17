// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>

/// The parts of pages, compiled in from files of src/report.
namespace tessera::detail {

extern const std::string_view template_page;       ///< page.html: what holds the others
extern const std::string_view template_css;        ///< page.css
extern const std::string_view template_shared_js;  ///< page.js
extern const std::string_view template_report;     ///< report.html: the body of write_report's page
extern const std::string_view template_report_js;  ///< report_page.js: its script

/// plotly.js; empty if it was not found when tessera was built.
std::string_view plotly_js();

}  // namespace tessera::detail
