// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "settings/setting.hpp"

namespace settings {

/// Adds the options of a table to a parser; `options` must outlive it.
template <typename Options>
void add_options(CLI::App& app, const Table<Options>& table, Options& options) {
  const Options defaults;
  for (const Setting<Options>& setting : table) {
    const std::string name = setting.option();
    const Member<Options>& member = setting.member;
    const auto take = [&options, take = member.take, name](const std::vector<std::string>& given) {
      take(options, name, given);
    };
    CLI::Option* added = nullptr;
    if (member.form == Form::value) {
      added = app.add_option_function<std::string>(
          name, [take](const std::string& given) { take({given}); }, setting.help);
      if (!setting.help_has_default) added->default_str(member.text(defaults));
    } else if (member.form == Form::list) {
      added = app.add_option_function<std::vector<std::string>>(name, take, setting.help);
      if (member.type.find(',') != std::string::npos) {
        added->delimiter(',');
      } else {
        added->expected(1, 1 << 20);
      }
    } else {
      added = app.add_flag_callback(
          name, [take] { take({"true"}); }, setting.help);
    }
    if (!member.type.empty()) added->type_name(member.type);
    if (!setting.needs.empty()) added->needs(setting.needs);
    added->group(setting.group);
    if (member.form != Form::choice) continue;
    app.add_flag_callback(
           setting.negation(), [take] { take({"false"}); }, "Do not")
        ->group(setting.group)
        ->excludes(name);
  }
}

/// The options of runs that the command line has, as arguments: {{"--image-size", "512"}, ...}.
template <typename Options>
std::vector<std::vector<std::string>> given_options(const CLI::App& app,
                                                    const Table<Options>& table) {
  std::vector<std::vector<std::string>> given;
  for (const Setting<Options>& setting : table) {
    if (setting.role == Role::mode || setting.role == Role::of_mode) continue;
    if (app.count(setting.option()) > 0) {
      given.push_back({setting.option()});
      if (setting.member.form == Form::value) {
        given.back().push_back(app.get_option(setting.option())->results().front());
      }
    }
    if (setting.member.form == Form::choice && app.count(setting.negation()) > 0) {
      given.push_back({setting.negation()});
    }
  }
  return given;
}

/// What a run depends on as arguments for the program, defaults included, with absolute paths.
template <typename Options>
std::vector<std::string> arguments_of(const Table<Options>& table, const Options& options) {
  std::vector<std::string> arguments;
  for (const Setting<Options>& setting : table) {
    if (setting.role != Role::result && setting.role != Role::files) continue;
    const std::string text = setting.member.text(options);
    if (text.empty() || !setting.applies_to(options)) continue;
    const bool is_negated = setting.member.form == Form::choice && text == "false";
    arguments.push_back(is_negated ? setting.negation() : setting.option());
    if (setting.member.form != Form::value) continue;
    arguments.push_back(setting.member.kind == Kind::path
                            ? std::filesystem::absolute(text).lexically_normal().string()
                            : text);
  }
  return arguments;
}

}  // namespace settings
