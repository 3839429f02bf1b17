// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/report/report.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "report_pictures.hpp"
#include "template.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/version.hpp"
#include "tessera/io/atomic_file.hpp"

namespace tessera {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw error::Io(fmt::format("{}: cannot be read", path.string()));
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Replaces every `from` in `text`.
void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
}

/// A finished run as the page wants it; throws what reading it throws.
ordered_json read_run(const fs::path& folder, detail::PictureStore& pictures) {
  if (!fs::exists(folder / "summary.json")) {
    throw error::Io("has no summary.json: the run has not finished");
  }
  const ordered_json summary = ordered_json::parse(read_text(folder / "summary.json"));
  if (!summary.is_object() || !summary.value("completed", false)) {
    throw error::Io("its summary.json does not say \"completed\": true");
  }
  ordered_json run = {{"folder", folder.lexically_normal().string()},
                      {"summary", summary},
                      {"metrics", read_text(folder / "metrics.csv")},
                      {"plan", nullptr},
                      {"pictures", ordered_json::object()}};
  if (fs::exists(folder / "plan.json")) {
    run["plan"] = ordered_json::parse(read_text(folder / "plan.json"));
  }
  for (const ordered_json& picture : summary.value("pictures", ordered_json::array())) {
    const fs::path file = folder / fs::path(picture.at("file").get<std::string>()).filename();
    run["pictures"][picture.at("label").get<std::string>()] = pictures.add(file.string());
  }
  return run;
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

std::vector<std::string> write_report(const std::string& html_path,
                                      const std::vector<std::string>& run_folders) {
  if (run_folders.empty()) {
    throw error::InvalidArgument("write_report: expected at least one run folder, got none");
  }
  AtomicFile file(html_path);  // before the work, in case it cannot be written
  std::vector<std::string> notes;
  ordered_json runs = ordered_json::array();
  detail::PictureStore pictures;
  for (const std::string& folder : run_folders) {
    try {
      runs.push_back(read_run(folder, pictures));
    } catch (const std::exception& failure) {
      notes.push_back(fmt::format("{} left out: {}", folder, failure.what()));
    }
  }
  const ordered_json data = {
      {"version", TESSERA_VERSION},
      {"created", fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::time(nullptr)))},
      {"notes", notes},
      {"runs", runs},
      {"pictures", pictures.encode(html_path)}};
  std::string plotly(detail::plotly_js());
  replace_all(plotly, "</script", "<\\/script");
  const std::string page =
      filled_in(detail::template_html, {{"css", std::string(detail::template_css)},
                                        {"plotly", std::move(plotly)},
                                        {"plots_js", std::string(detail::template_plots_js)},
                                        {"page_js", std::string(detail::template_page_js)},
                                        {"data", embedded(data)}});
  file.write(page);
  file.commit();
  return notes;
}

}  // namespace tessera
