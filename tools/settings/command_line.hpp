// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "settings/setting.hpp"
#include "settings/version.hpp"
#include "settings/views.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"

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

/// Whether the command line has an option.
using IsGiven = std::function<bool(const std::string&)>;

/// A program as its command line knows it.
template <typename Options>
struct Program {
  std::string name;         ///< begins its messages
  std::string description;  ///< heads --help
  const Table<Options>& table;
  /// After parsing: settles what the command line leaves open. Throws CLI::ValidationError for what
  /// cannot be asked for together.
  std::function<void(Options&, const IsGiven&)> settle;
};

/// Parses by `parse(app)`. Options have what was made of them besides: `given` and `arguments`.
template <typename Options, typename Parse>
void parse_by(const Program<Options>& program, CLI::App& app, Options& options, Parse&& parse) {
  app.set_version_flag("--version", [&program] { return version_text(program.name); });
  app.get_formatter()->column_width(34);
  add_options(app, program.table, options);
  parse(app);
  program.settle(options, [&](const std::string& name) { return app.count(name) > 0; });
  options.given = given_options(app, program.table);
  options.arguments = arguments_of(program.table, options);
}

/// Reads the command line. Returns an exit code if the program is to end at once: after --help or
/// --version, which only the first rank prints, or after an error, which it explains on stderr.
template <typename Options>
std::optional<int> parse(const Program<Options>& program, int argc, char** argv, bool is_root,
                         Options& options) {
  CLI::App app(program.description, program.name);
  try {
    parse_by(program, app, options, [&](CLI::App& parser) { parser.parse(argc, argv); });
  } catch (const CLI::ParseError& error) {
    std::ostream nowhere(nullptr);
    return app.exit(error, is_root ? std::cout : nowhere, is_root ? std::cerr : nowhere);
  }
  return std::nullopt;
}

/// The same for arguments from elsewhere than the command line, without the program's name. Throws
/// error::InvalidArgument.
template <typename Options>
Options parse_arguments(const Program<Options>& program, std::vector<std::string> arguments) {
  Options options;
  CLI::App app(program.description, program.name);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the end
  try {
    parse_by(program, app, options, [&](CLI::App& parser) { parser.parse(std::move(arguments)); });
  } catch (const CLI::ParseError& error) {
    throw tessera::error::InvalidArgument(error.what());
  }
  return options;
}

/// Reads the command line on every rank. If it ends the program on one, it ends it on all; all must
/// have been given the same.
template <typename Options>
std::optional<int> parse_together(const Program<Options>& program, int argc, char** argv,
                                  tessera::Communicator& world, Options& options) {
  const std::optional<int> mine = parse(program, argc, argv, world.is_root(), options);
  std::int64_t ending = mine ? 1 + *mine : 0;
  tessera::agree(world, program.name + ": command line", nullptr, {&ending, 1});
  if (ending == 0) {
    tessera::same_on_all_ranks(world, program.name, compared_values(program.table, options));
    return std::nullopt;
  }
  if (world.is_root() && !mine) {
    fmt::print(stderr, "{}: the command line of another rank cannot be used\n", program.name);
  }
  return static_cast<int>(ending - 1);
}

}  // namespace settings
