// SPDX-License-Identifier: BSD-3-Clause
#include "page.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <map>
#include <nlohmann/json.hpp>

#include "template.hpp"

namespace tessera::detail {

using nlohmann::ordered_json;

namespace {

/// Replaces every `from` in `text`.
void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
}

/// JSON that may stand in a script element: no "<" in it, so no "</script>".
std::string embedded(const ordered_json& json) {
  std::string text = json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  replace_all(text, "<", "\\u003c");
  return text;
}

/// The template with every {{name}} replaced; what is filled in is not searched again.
std::string filled_in(std::string_view text, const std::map<std::string, std::string>& parts) {
  std::string page;
  while (true) {
    const std::size_t begin = text.find("{{");
    page += text.substr(0, begin);
    if (begin == std::string_view::npos) return page;
    const std::size_t end = text.find("}}", begin);
    page += parts.at(std::string(text.substr(begin + 2, end - begin - 2)));
    text.remove_prefix(end + 2);
  }
}

}  // namespace

std::string text_of(const Page& page, const ordered_json& data) {
  std::string plotly(page.has_plotly ? plotly_js() : std::string_view());
  replace_all(plotly, "</script", "<\\/script");
  return filled_in(template_page, {{"title", page.title},
                                   {"css", std::string(template_css)},
                                   {"body", std::string(page.body)},
                                   {"data", embedded(data)},
                                   {"plotly", std::move(plotly)},
                                   {"shared_js", std::string(template_shared_js)},
                                   {"script", std::string(page.script)}});
}

std::string time_of_report() {
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::time(nullptr)));
}

}  // namespace tessera::detail
