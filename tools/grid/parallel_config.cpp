// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include "grid/config.hpp"
#include "grid/slurm_values.hpp"
#include "grid/yaml_reader.hpp"

namespace grid {

namespace {

/// Reads how a cluster starts rows.
class ParallelReader {
 public:
  explicit ParallelReader(const std::string& file) : reader_(file) {}

  ParallelConfig read(const std::string& text) {
    reader_.for_each(reader_.document(text), [&](const YAML::Node& node, const YAML::Node& value) {
      take(node, node.Scalar(), value);
    });
    return std::move(config_);
  }

 private:
  void take(const YAML::Node& node, const std::string& key, const YAML::Node& value) {
    if (key == "backend") {
      check_backend(value);
    } else if (key == "slurm_time") {
      config_.time = reader_.setting(key, Kind::text, value).value;
      reader_.checked(value, [&] { check_time(key, config_.time); });
    } else if (key == "slurm_launcher") {
      config_.launcher = reader_.setting(key, Kind::text, value).value;
      reader_.checked(value, [&] { check_launcher(config_.launcher); });
    } else if (key == "slurm_additional_parameters") {
      read_parameters(value);
    } else if (key == "slurm_stderr_to_stdout") {
      reader_.setting(key, Kind::boolean, value);  // the scripts write one file anyway
    } else if (key == "slurm_setup") {
      read_setup(value);
    } else {
      reader_.unknown(node, "key",
                      {"backend", "slurm_time", "slurm_additional_parameters", "slurm_setup",
                       "slurm_launcher", "slurm_stderr_to_stdout"});
    }
  }

  void check_backend(const YAML::Node& value) {
    const std::string backend = reader_.setting("backend", Kind::text, value).value;
    if (backend != "submitit" && backend != "slurm") {
      reader_.unknown(value, "backend", {"submitit", "slurm"});
    }
  }

  void read_parameters(const YAML::Node& map) {
    if (!map.IsMap()) {
      reader_.fail(map, fmt::format("slurm_additional_parameters: expected keys and values, got {}",
                                    described(map)));
    }
    reader_.for_each(map, [&](const YAML::Node& name, const YAML::Node& value) {
      const std::string text = reader_.setting(name.Scalar(), Kind::text, value).value;
      reader_.checked(value, [&] { check_parameter(name.Scalar(), text); });
      config_.parameters.emplace_back(name.Scalar(), text);
    });
  }

  void read_setup(const YAML::Node& lines) {
    if (!lines.IsSequence()) {
      reader_.fail(lines, fmt::format("slurm_setup: expected a list of shell lines, got {}",
                                      described(lines)));
    }
    for (const YAML::Node& line : lines) {
      config_.setup.push_back(reader_.setting("slurm_setup", Kind::text, line).value);
    }
  }

  YamlReader reader_;
  ParallelConfig config_;
};

}  // namespace

ParallelConfig parse_parallel_config(const std::string& text, const std::string& file) {
  return ParallelReader(file).read(text);
}

}  // namespace grid
