// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "settings/setting.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/run/run_folder.hpp"

namespace settings {

/// What a table says of options: to ranks, to summary.json, to checkpoints, to readers.

/// Every setting with what it stands at, for ranks to compare (tessera::same_on_all_ranks), those
/// that may differ excluded; what the program is to do comes first.
template <typename Options>
tessera::NamedValues compared_values(const Table<Options>& table, const Options& options) {
  tessera::NamedValues values;
  std::size_t modes = 0;
  const auto add = [&](const std::string& option, const std::string& value, bool is_mode) {
    const auto place =
        is_mode ? values.begin() + static_cast<std::ptrdiff_t>(modes++) : values.end();
    values.emplace(place, option, value.empty() ? "not given" : value);
  };
  for (const Setting<Options>& setting : table) {
    if (setting.may_differ) continue;
    const std::string text = setting.member.text(options);
    const bool is_mode = setting.role == Role::mode;
    if (setting.member.form == Form::flag || setting.member.form == Form::choice) {
      add(setting.option(), text == "true" ? "given" : "", is_mode);
    } else {
      add(setting.option(), setting.applies_to(options) ? text : "", is_mode);
    }
    if (setting.member.form == Form::choice) {
      add(setting.negation(), text == "false" ? "given" : "", is_mode);
    }
  }
  return values;
}

/// "configuration" of summary.json. `settled` has what a run made of settings, in their place.
template <typename Options>
tessera::Settings summary_values(const Table<Options>& table, const Options& options,
                                 const std::map<std::string, tessera::SettingValue>& settled) {
  tessera::Settings values;
  for (const Setting<Options>& setting : table) {
    if (setting.role != Role::result) continue;
    const auto found = settled.find(setting.name);
    const auto value =
        found != settled.end() ? std::optional(found->second) : setting.member.value(options);
    if (value) values.emplace_back(setting.name, *value);
  }
  return values;
}

/// What two runs must have in common for one to go on where the other stood.
template <typename Options>
std::map<std::string, std::string> identity_of(const Table<Options>& table,
                                               const Options& options) {
  std::map<std::string, std::string> identity;
  for (const Setting<Options>& setting : table) {
    if (setting.identifies == nullptr || !setting.identifies(options)) continue;
    identity[setting.name] = setting.member.text(options);
  }
  return identity;
}

/// The files that a result depends on: the settings that are paths, and what they stand at.
template <typename Options>
std::vector<std::pair<std::string, std::string>> files_named(const Table<Options>& table,
                                                             const Options& options) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const Setting<Options>& setting : table) {
    if (setting.role != Role::result || setting.member.kind != Kind::path) continue;
    const std::string path = setting.member.text(options);
    if (!path.empty()) files.emplace_back(setting.name, path);
  }
  return files;
}

/// The table as Markdown, a heading per group.
template <typename Options>
std::string markdown(const Table<Options>& table) {
  const Options defaults;
  std::string page;
  std::string group;
  const auto cell = [](const std::string& text) {
    std::string escaped;
    for (const char c : text) escaped += c == '|' ? "\\|" : std::string(1, c);
    return escaped;
  };
  const auto code = [&](const std::string& text) {
    return text.empty() ? text : fmt::format("`{}`", cell(text));
  };
  for (const Setting<Options>& setting : table) {
    if (setting.group != group) {
      group = setting.group;
      page += fmt::format(
          "\n## {}\n\n| option | key in files | value | default | meaning |\n"
          "|---|---|---|---|---|\n",
          group);
    }
    const bool has_key = setting.section != Section::none;
    std::string keys = has_key ? code(setting.key_in_files()) : "";
    if (!setting.alias.empty()) keys += fmt::format(", {}", code(setting.alias));
    const bool is_choice = setting.member.form == Form::choice;
    page += fmt::format("| {}{} | {} | {} | {} | {} |\n", code(setting.option()),
                        is_choice ? fmt::format(", {}", code(setting.negation())) : "", keys,
                        code(setting.member.type),
                        setting.help_has_default ? "" : code(setting.member.text(defaults)),
                        cell(setting.help));
  }
  return page;
}

}  // namespace settings
