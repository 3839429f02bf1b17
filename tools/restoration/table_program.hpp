// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grid/program.hpp"
#include "grid/table_keys.hpp"
#include "restoration/run_settings.hpp"
#include "settings/command_line.hpp"
#include "settings/views.hpp"
#include "tessera/denoiser/denoiser.hpp"

namespace restoration {

/// A program with restoration::RunSettings as grids know it, as far as its table of settings tells.
template <typename Options>
class TableProgram : public grid::Program {
 public:
  explicit TableProgram(const settings::Program<Options>& program) : program_(program) {}

  std::string name() const override { return program_.name; }
  const grid::Vocabulary& vocabulary() const override {
    if (!vocabulary_) vocabulary_ = make_vocabulary();
    return *vocabulary_;
  }
  std::vector<std::string> flags_of_several_ranks() const override {
    return {"distribute-physics", "distribute-denoiser"};
  }
  std::vector<std::string> switches() const override {
    return {"--no-report"};  // the grid writes one of all rows
  }
  bool is_switch(const std::string& option) const override {
    const auto* setting = settings::find_option(program_.table, option);
    return setting != nullptr && setting->role == settings::Role::manner &&
           setting->name != "out" && setting->name != "no_report";
  }
  grid::Run understand(const std::vector<std::string>& arguments) const override {
    const Options options = parsed(arguments);
    return {options.arguments, std::string(settings::name_of(options.device)), options.threads,
            files_of(options)};
  }

 protected:
  Options parsed(const std::vector<std::string>& arguments) const {
    return settings::parse_arguments(program_, arguments);
  }
  grid::Files files_of(const Options& options) const {
    return settings::files_named(program_.table, options);
  }
  /// The keys of the table, and those that files have without effect here.
  std::vector<grid::Key> keys() const {
    std::vector<grid::Key> all = grid::keys_of(program_.table);
    all.push_back({"num_workers", settings::Section::dataset, settings::Kind::integer, ""});
    return all;
  }
  const settings::Setting<Options>* find(const std::string& option) const {
    return settings::find_option(program_.table, option);
  }
  /// What is kept for `key`; made first if there is nothing.
  template <typename Value, typename Make>
  static const Value& once(std::map<std::string, Value>& kept, const std::string& key,
                           const Make& make) {
    const auto found = kept.find(key);
    return found != kept.end() ? found->second : kept.emplace(key, make()).first->second;
  }
  /// make(options), once for each network and number of spatial `dimensions`; sets options.weights
  /// to its file, as `make` does.
  tessera::DenoiserPtr network(Options& options, tessera::DenoiserPtr (*make)(Options&),
                               int dimensions = 2) {
    const std::string key =
        fmt::format("{}\n{}\n{}", dimensions, settings::name_of(options.denoiser), options.weights);
    const auto made = [&] {
      tessera::DenoiserPtr network = make(options);
      return std::pair(std::move(network), options.weights);
    };
    const auto& [denoiser, weights] = once(networks_, key, made);
    options.weights = weights;
    return denoiser;
  }
  static std::string value_of(const grid::Settings& row, const char* key, const char* otherwise) {
    const grid::Setting* setting = grid::find(row, key);
    return setting == nullptr ? otherwise : setting->value;
  }

 private:
  virtual grid::Vocabulary make_vocabulary() const = 0;

  const settings::Program<Options>& program_;
  mutable std::optional<grid::Vocabulary> vocabulary_;
  std::map<std::string, std::pair<tessera::DenoiserPtr, std::string>> networks_;  // with its file
};

}  // namespace restoration
