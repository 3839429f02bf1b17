// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/report/report.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "page.hpp"
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
  const ordered_json data = {{"version", TESSERA_VERSION},
                             {"created", detail::time_of_report()},
                             {"notes", notes},
                             {"runs", runs},
                             {"pictures", pictures.encode(html_path)}};
  file.write(detail::text_of({.title = "tessera: runs compared",
                              .body = detail::template_report,
                              .script = detail::template_report_js,
                              .has_plotly = true},
                             data));
  file.commit();
  return notes;
}

}  // namespace tessera
