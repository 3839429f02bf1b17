// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "grid/config.hpp"

namespace grid {

/// Options that name files, without dashes, and the paths.
using Files = std::vector<std::pair<std::string, std::string>>;

/// A run as its program understands the arguments.
struct Run {
  /// What the result depends on in full, given or not, with absolute paths: two runs are the same
  /// if these are.
  std::vector<std::string> arguments;
  std::string device;  ///< cpu or cuda
  int threads = 0;     ///< per rank; 0: the program decides
  Files files;         ///< that the arguments name
};

/// What a run will do, found out without running it.
struct RunPlan {
  std::string tiles;          ///< lines of text
  double bytes_per_rank = 0;  ///< memory of the busiest rank, estimated; 0: unknown
};

/// The program whose runs a grid starts: what its settings are, and what they mean. Each of its
/// runs leaves a summary.json (tessera::write_run) with "arguments" and "inputs" in its folder. It
/// has the options --out, --solver, --repetitions, --device and --threads.
class Program {
 public:
  virtual ~Program() = default;

  /// Begins its messages.
  virtual std::string name() const = 0;
  virtual const Vocabulary& vocabulary() const = 0;

  /// The beginning of a row's name, "pnp-drunet", and the keys that it has been made of.
  virtual std::string title(const Settings& row) const = 0;
  virtual std::vector<std::string> keys_in_title() const = 0;

  /// Flags that rows have which do not say otherwise, with "no-" before them on one rank.
  virtual std::vector<std::string> flags_of_several_ranks() const = 0;
  /// Arguments of every row, without effect on its result.
  virtual std::vector<std::string> switches() const = 0;
  /// Whether an option has no effect on the result, and is handed on to every row if it is given.
  virtual bool is_switch(const std::string& option) const = 0;
  /// Whether a solver has the option.
  virtual bool knows(const std::string& solver, const std::string& option) const = 0;

  /// Throws error::InvalidArgument for what the program refuses: "--overlap: is -8, expected ...".
  virtual Run understand(const std::vector<std::string>& arguments) const = 0;
  /// Every file that the run reads, those of its defaults included. Throws error::Io.
  virtual Files files_read(const Run& run) const = 0;
  /// Throws what the run would throw: files that cannot be read, tiles that do not fit the image.
  virtual RunPlan plan(const Run& run, int ranks) = 0;
  /// What is to be told of a row before a grid starts; each sentence is told once.
  virtual std::vector<std::string> notices(const Settings& row, const Run& run) const = 0;
};

}  // namespace grid
