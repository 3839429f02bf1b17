// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string_view>

namespace restore {

extern const std::string_view report_html;  ///< report.html: the body of the page
extern const std::string_view report_js;    ///< report.js: its script

}  // namespace restore
