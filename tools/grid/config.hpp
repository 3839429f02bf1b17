// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settings/kind.hpp"

namespace grid {

/// Configuration files: a grid of runs, and how a cluster starts them.

/// Where something stands in a file; lines and columns are counted from 1.
struct Place {
  int line = 0;
  int column = 0;
};

/// One key and its value: image_size: 2048.
struct Setting {
  std::string key;
  std::string value;
  Place place;  ///< of the value
};
using Settings = std::vector<Setting>;

using settings::Section;

/// Keys that change together. A list of values is an axis with an alternative per value; a
/// comma-joined key is one with an alternative per row; a plain value is one with one alternative.
struct Axis {
  std::vector<Settings> alternatives;
};

/// A data set or a solver with its parameters.
struct Entry {
  std::string name;
  Place place;
  std::vector<Axis> axes;
};

struct GridConfig {
  std::string file;  ///< its name, for messages
  std::vector<Entry> datasets;
  std::vector<Entry> solvers;
  std::optional<Setting> max_runs;     ///< iterations of each row that does not set n_iter
  std::optional<Setting> repetitions;  ///< n-repetitions
  bool html = true;                    ///< write a report of all rows
};

/// How Slurm starts a row, from a parallel configuration file.
struct ParallelConfig {
  std::string time = "30";  ///< minutes, or another of Slurm's forms
  /// Further options of sbatch; the value true stands for an option without one.
  std::vector<std::pair<std::string, std::string>> parameters{};
  std::vector<std::string> setup{};  ///< shell lines before the program
  std::string launcher = "srun";     ///< what starts the ranks, with its flags
};

using settings::Kind;

/// A key that a data set or a solver may have.
struct Key {
  std::string name;
  Section section = Section::solver;
  Kind kind = Kind::text;
  std::string option;     ///< of the command line; empty: read by the grid, or without effect here
  bool is_alias = false;  ///< another name of a key that stands before it
};

/// A data set or a solver: as files and as the command line spell it.
struct EntryName {
  std::string in_files;
  std::string in_options;
};

/// What configuration files of a program may say.
struct Vocabulary {
  std::vector<Key> keys;            ///< of the program; slurm_gres and the like are the grid's own
  std::vector<EntryName> datasets;  ///< in options: of --problem
  std::vector<EntryName> solvers;   ///< in options: of --solver
  std::vector<std::string> objectives;
  std::string iterations;  ///< the key that max-runs stands for
  /// What rows have that do not set it: files mean the same when the program's defaults change.
  std::vector<std::pair<std::string, std::string>> defaults;
};

/// The vocabulary with the grid's own keys: how many nodes, tasks and GPUs a row has.
Vocabulary with_layout(Vocabulary vocabulary);

/// Rows that a grid may have.
constexpr std::size_t most_rows = 1000;

/// The key of that name, or nullptr.
const Key* find_key(const Vocabulary& vocabulary, Section section, std::string_view name);

/// The candidate with the least edits to `word`; letter case, '-' and '_' count as equal.
std::string nearest(std::string_view word, const std::vector<std::string_view>& candidates);

/// Reads a grid from YAML. Throws error::InvalidArgument: file:line:column, the key, what was
/// expected, what was given.
GridConfig parse_config(const std::string& text, const std::string& file,
                        const Vocabulary& vocabulary);

/// Reads a parallel configuration from YAML; throws the same, also for what sbatch would refuse
/// (slurm_values.hpp).
ParallelConfig parse_parallel_config(const std::string& text, const std::string& file);

/// The rows of the grid: data sets times solvers times their axes, the last axis fastest. Each has
/// the settings `problem` and `solver` (the names of its entries), the vocabulary's defaults and
/// the iterations of max-runs unless the entry sets them, and repetitions. Throws
/// error::InvalidArgument beyond most_rows.
std::vector<Settings> expand(const GridConfig& config, const Vocabulary& vocabulary);

/// The value of a key in a row, or nullptr.
const Setting* find(const Settings& row, std::string_view key);

/// The arguments for the command line that a setting stands for; empty if it has none.
std::vector<std::string> to_arguments(const Setting& setting, const Vocabulary& vocabulary);

/// A row as a configuration file of its own.
std::string to_yaml(const Settings& row, const Vocabulary& vocabulary);

/// "configs/a.yml:3:14: "
std::string at_place(const std::string& file, const Place& place);

}  // namespace grid
