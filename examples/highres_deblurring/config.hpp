#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

/// Numbers are written as numbers.hpp says; a path is not empty.
enum class Kind { integer, seed, number, number_or_auto, boolean, text, path };
enum class Section { dataset, solver };

/// A key that a data set or a solver may have.
struct Key {
  std::string_view name;
  Section section;
  Kind kind;
  std::string_view
      option;  ///< of the command line; empty: read by the grid, or without effect here
};

/// Rows that a grid may have.
constexpr std::size_t most_rows = 1000;

/// Every known key.
const std::vector<Key>& known_keys();

/// The key of that name, or nullptr.
const Key* find_key(Section section, std::string_view name);

/// The candidate with the least edits to `word`; letter case, '-' and '_' count as equal.
std::string nearest(std::string_view word, const std::vector<std::string_view>& candidates);

/// Reads a grid from YAML. Throws error::InvalidArgument: file:line:column, the key, what was
/// expected, what was given.
GridConfig parse_config(const std::string& text, const std::string& file);

/// Reads a parallel configuration from YAML; throws the same, also for what sbatch would refuse
/// (slurm_values.hpp).
ParallelConfig parse_parallel_config(const std::string& text, const std::string& file);

/// The rows of the grid: data sets times solvers times their axes, the last axis fastest. Each has
/// the settings `solver` (pnp or dpir), `fidelity` (l2 unless the solver sets it), n_iter from
/// max-runs unless the solver sets it, and repetitions. Throws error::InvalidArgument beyond
/// most_rows.
std::vector<Settings> expand(const GridConfig& config);

/// The value of a key in a row, or nullptr.
const Setting* find(const Settings& row, std::string_view key);

/// The arguments for the command line that a setting stands for; empty if it has none.
std::vector<std::string> to_arguments(const Setting& setting);

/// A row as a configuration file of its own.
std::string to_yaml(const Settings& row);

/// "configs/a.yml:3:14: "
std::string at_place(const std::string& file, const Place& place);
