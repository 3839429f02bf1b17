// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "settings/checks.hpp"
#include "settings/enum_names.hpp"
#include "settings/kind.hpp"
#include "tessera/distributed/per_axis.hpp"
#include "tessera/run/run_folder.hpp"

namespace settings {

/// How an option is given: --overlap 8, --resume, --distribute-physics or --no-distribute-physics,
/// --ranks 1,2,4.
enum class Form { value, flag, choice, list };

/// A member of Options as texts: what the command line and files say of it, and what it says of
/// itself. Made by Members<Options>.
template <typename Options>
struct Member {
  Kind kind = Kind::text;
  Form form = Form::value;
  std::string type = {};  ///< "INTEGER", "{auto,mpi}"
  /// What it stands at; empty: nothing. Flags: true or empty; lists: joined by commas.
  std::function<std::string(const Options&)> text;
  /// Checks what is given and keeps it. Throws CLI::ValidationError.
  std::function<void(Options&, const std::string& option, const std::vector<std::string>& given)>
      take;
  /// For JSON; nothing if it stands at nothing.
  std::function<std::optional<tessera::SettingValue>(const Options&)> value;
};

/// What members may be. `Base` is Options or a base of it.
template <typename Options>
struct Members {
  using Made = Member<Options>;
  using Given = std::vector<std::string>;

  /// Whole numbers from `low` to `high`.
  template <std::integral Int, typename Base>
  static Made integer(Int Base::*member, std::int64_t low, std::int64_t high) {
    return {.kind = Kind::integer,
            .type = "INTEGER",
            .text = [=](const Options& options) { return fmt::format("{}", options.*member); },
            .take =
                [=](Options& options, const std::string& option, const Given& given) {
                  options.*member =
                      static_cast<Int>(checked_integer(option, given.front(), low, high));
                },
            .value = [=](const Options& options) { return std::int64_t{options.*member}; }};
  }

  /// The same, where 0 leaves it open.
  template <std::integral Int, typename Base>
  static Made integer(std::optional<Int> Base::*member, std::int64_t high) {
    return {.kind = Kind::integer,
            .type = "INTEGER",
            .text =
                [=](const Options& options) {
                  return options.*member ? fmt::format("{}", *(options.*member)) : std::string();
                },
            .take =
                [=](Options& options, const std::string& option, const Given& given) {
                  const std::int64_t value = checked_integer(option, given.front(), 0, high);
                  options.*member = static_cast<Int>(value);
                  if (value == 0) (options.*member).reset();
                },
            .value = [=](const Options& options) -> std::optional<tessera::SettingValue> {
              if (options.*member) return std::int64_t{*(options.*member)};
              return std::nullopt;
            }};
  }

  /// Whole numbers from `low` on, one for all axes or one for each.
  template <typename Base>
  static Made per_axis(tessera::PerAxis Base::*member, std::int64_t low) {
    return {.kind = Kind::per_axis,
            .type = "INTEGER[xINTEGER...]",
            .text = [=](const Options& options) { return to_string(options.*member); },
            .take =
                [=](Options& options, const std::string& option, const Given& given) {
                  options.*member = checked_per_axis(option, given.front(), low);
                },
            .value = [=](const Options& options) -> std::optional<tessera::SettingValue> {
              const tessera::Extents& values = (options.*member).values();
              if (values.size() == 1) return values.front();
              return to_string(options.*member);
            }};
  }

  template <typename Base>
  static Made seed(std::uint64_t Base::*member) {
    return {
        .kind = Kind::seed,
        .type = "INTEGER",
        .text = [=](const Options& options) { return fmt::format("{}", options.*member); },
        .take = [=](Options& options, const std::string& option,
                    const Given& given) { options.*member = checked_seed(option, given.front()); },
        .value = [=](const Options& options) { return options.*member; }};
  }

  template <typename Base>
  static Made number(double Base::*member, const Bounds& bounds) {
    return {.kind = Kind::number,
            .type = "NUMBER",
            .text = [=](const Options& options) { return fmt::format("{}", options.*member); },
            .take =
                [=](Options& options, const std::string& option, const Given& given) {
                  options.*member = checked_number(option, given.front(), bounds);
                },
            .value = [=](const Options& options) { return options.*member; }};
  }

  /// A number that may be left open; `open` is the word for that, empty: there is none.
  template <typename Base>
  static Made number(std::optional<double> Base::*member, const Bounds& bounds,
                     const std::string& open = "") {
    return {.kind = open.empty() ? Kind::number : Kind::number_or_auto,
            .type = open.empty() ? "NUMBER" : "NUMBER|" + open,
            .text =
                [=](const Options& options) {
                  const std::optional<double>& number = options.*member;
                  return number ? fmt::format("{}", *number) : open;
                },
            .take =
                [=](Options& options, const std::string& option, const Given& given) {
                  (options.*member).reset();
                  if (!open.empty() && given.front() == open) return;
                  options.*member = checked_number(option, given.front(), bounds);
                },
            .value = [=](const Options& options) -> std::optional<tessera::SettingValue> {
              if (options.*member) return *(options.*member);
              return std::nullopt;
            }};
  }

  template <typename Base>
  static Made path(std::string Base::*member) {
    return {
        .kind = Kind::path,
        .type = "PATH",
        .text = [=](const Options& options) { return options.*member; },
        .take = [=](Options& options, const std::string& option,
                    const Given& given) { options.*member = checked_path(option, given.front()); },
        .value = [=](const Options& options) { return options.*member; }};
  }

  /// Any text, the empty one too.
  template <typename Base>
  static Made text(std::string Base::*member) {
    Made made = path(member);
    made.kind = Kind::text;
    made.type = "TEXT";
    made.take = [=](Options& options, const std::string&, const Given& given) {
      options.*member = given.front();
    };
    return made;
  }

  /// One of the words of an enum. `renamed` has old words and what they are called now.
  template <typename Enum, typename Base>
  requires(!enum_names<Enum>.empty()) static Made
      word(Enum Base::*member, std::map<std::string, std::string> renamed = {}) {
    return word_of<Enum>(
        [=](const Options& options) { return std::string(name_of(options.*member)); },
        [=](Options& options, Enum value) { options.*member = value; }, std::move(renamed));
  }

  /// One of the words of an enum, or none.
  template <typename Enum, typename Base>
  requires(!enum_names<Enum>.empty()) static Made word(std::optional<Enum> Base::*member) {
    return word_of<Enum>(
        [=](const Options& options) {
          return options.*member ? std::string(name_of(*(options.*member))) : std::string();
        },
        [=](Options& options, Enum value) { options.*member = value; }, {});
  }

  template <typename Base>
  static Made flag(bool Base::*member) {
    return {.kind = Kind::boolean,
            .form = Form::flag,
            .text = [=](const Options& options) { return options.*member ? "true" : ""; },
            .take = [=](Options& options, const std::string&,
                        const Given& given) { options.*member = given.front() == "true"; },
            .value = [=](const Options& options) { return options.*member; }};
  }

  /// A flag and its negation that stay open unless one of them is given.
  template <typename Base>
  static Made choice(std::optional<bool> Base::*member) {
    return {.kind = Kind::boolean,
            .form = Form::choice,
            .text =
                [=](const Options& options) {
                  const std::optional<bool>& is = options.*member;
                  return !is ? "" : *is ? "true" : "false";
                },
            .take = [=](Options& options, const std::string&,
                        const Given& given) { options.*member = given.front() == "true"; },
            .value = [=](const Options& options) { return (options.*member).value_or(false); }};
  }

  /// Names of files or folders, none of them empty.
  template <typename Base>
  static Made paths(std::vector<std::string> Base::*member) {
    return {.kind = Kind::path,
            .form = Form::list,
            .type = "PATH ...",
            .text = [=](const Options& options) { return joined(options.*member); },
            .take =
                [=](Options& options, const std::string& option, const Given& given) {
                  for (const std::string& each : given) checked_path(option, each);
                  options.*member = given;
                },
            .value = [=](const Options& options) { return options.*member; }};
  }

  /// Whole numbers, joined by commas.
  template <typename Base>
  static Made integers(std::vector<int> Base::*member, std::int64_t low, std::int64_t high) {
    return {.kind = Kind::integer,
            .form = Form::list,
            .type = "INTEGER,...",
            .text = [=](const Options& options) { return joined(options.*member); },
            .take =
                [=](Options& options, const std::string& option, const Given& given) {
                  (options.*member).clear();
                  for (const std::string& each : given) {
                    (options.*member)
                        .push_back(static_cast<int>(checked_integer(option, each, low, high)));
                  }
                },
            .value = [=](const Options& options) { return joined(options.*member); }};
  }

 private:
  template <typename Enum, typename Text, typename Keep>
  static Made word_of(Text text, Keep keep, std::map<std::string, std::string> renamed) {
    std::vector<std::string> words;
    for (const EnumName<Enum>& entry : enum_names<Enum>) words.emplace_back(entry.name);
    return {.kind = Kind::text,
            .type = "{" + joined(words) + "}",
            .text = text,
            .take =
                [=](Options& options, const std::string& option, const Given& given) {
                  keep(options,
                       *from_name<Enum>(checked_word(option, given.front(), words, renamed)));
                },
            .value = text};
  }

  template <typename Item>
  static std::string joined(const std::vector<Item>& items) {
    std::string all;
    for (const Item& item : items) all += fmt::format("{}{}", all.empty() ? "" : ",", item);
    return all;
  }
};

}  // namespace settings
