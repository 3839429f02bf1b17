// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "settings/member.hpp"

namespace settings {

/// What a setting is to a run.
enum class Role {
  result,    ///< its result or its times depend on it: one of its arguments, told in summary.json
  files,     ///< also decides which files it leaves: one of its arguments
  stand_in,  ///< stands for others, which are settled then
  manner,    ///< how it is carried out
  mode,      ///< something else that the program does; ranks compare these first
  of_mode,   ///< of such a mode
};

/// One setting of a program: the option --image-size, a key of files, a value of summary.json, part
/// of what ranks and checkpoints compare, a line of the documentation.
template <typename Options>
struct Setting {
  using Condition = bool (*)(const Options&);

  std::string name;   ///< "image_size"
  std::string group;  ///< heading in --help
  Member<Options> member;
  Role role = Role::result;
  Section section = Section::none;  ///< where configuration files have it
  std::string key = {};             ///< its name there; empty: `name`
  std::string alias = {};           ///< another name there
  bool help_has_default = false;    ///< it depends on other settings
  std::string needs = {};           ///< the option it is of no use without
  bool may_differ = false;          ///< among ranks
  /// Whether it means something to a run; nullptr: always.
  Condition applies = nullptr;
  /// Whether two runs that differ in it are different runs, for checkpoints; nullptr: never.
  Condition identifies = nullptr;
  std::string help = {};

  std::string option() const { return with_dashes("--"); }
  std::string negation() const { return with_dashes("--no-"); }
  std::string key_in_files() const { return key.empty() ? name : key; }
  bool applies_to(const Options& options) const { return applies == nullptr || applies(options); }

 private:
  std::string with_dashes(std::string text) const {
    for (const char c : name) text += c == '_' ? '-' : c;
    return text;
  }
};

/// For settings that always identify a run.
template <typename Options>
bool always(const Options& /*options*/) {
  return true;
}

/// In the order of --help.
template <typename Options>
using Table = std::vector<Setting<Options>>;

/// Tables one after the other.
template <typename Options>
Table<Options> joined(Table<Options> first, const Table<Options>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// The setting of an option, "--no-distribute-physics" too, or nullptr.
template <typename Options>
const Setting<Options>* find_option(const Table<Options>& table, const std::string& option) {
  for (const Setting<Options>& setting : table) {
    const bool is_negation = setting.member.form == Form::choice && setting.negation() == option;
    if (setting.option() == option || is_negation) return &setting;
  }
  return nullptr;
}

}  // namespace settings
