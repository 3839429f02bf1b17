// SPDX-License-Identifier: BSD-3-Clause
#include "restore/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

#include "restoration/enums.hpp"
#include "restore/step_reader.hpp"
#include "restore/value_reader.hpp"

namespace restore {

namespace {

constexpr std::int64_t most_pages = 1 << 20;

class ConfigReader {
 public:
  explicit ConfigReader(const std::string& file) : values_(file) {}

  Config read(const std::string& text) {
    const YAML::Node document = values_.document(text);
    Config config;
    config.file = values_.file();
    config.image.where = config.prior.where = config.solver.where = values_.file() + ": ";
    YAML::Node measurements;
    std::vector<Step> steps;
    NoiseModel noise{.where = values_.file() + ": "};
    values_.map(document, "key",
                {{"measurements", [&](const YAML::Node& node) { measurements.reset(node); }},
                 {"operator",
                  [&](const YAML::Node& node) { steps = read_chain(values_, node, "operator"); }},
                 {"noise", [&](const YAML::Node& node) { noise = noise_model(node); }},
                 {"image", [&](const YAML::Node& node) { config.image = image(node); }},
                 {"prior", [&](const YAML::Node& node) { config.prior = prior(node); }},
                 {"solver", [&](const YAML::Node& node) { config.solver = solver(node); }},
                 {"output",
                  [&](const YAML::Node& node) {
                    config.output = values_.path("output", node);
                    config.output_where = values_.place(node) + "output";
                  }},
                 {"report", [&](const YAML::Node& node) {
                    config.report = values_.path("report", node);
                    config.report_where = values_.place(node) + "report";
                  }}});
    if (!measurements.IsDefined() || measurements.IsNull()) values_.missing("measurements");
    if (config.output.empty()) values_.missing("output");
    if (!measurements.IsSequence() || measurements.size() == 0) {
      values_.fail(measurements, fmt::format("measurements: expected a list, got {}",
                                             grid::described(measurements)));
    }
    for (const YAML::Node& node : measurements) {
      const auto number = static_cast<int>(config.measurements.size() + 1);
      config.measurements.push_back(measurement(node, number, steps, noise));
    }
    return config;
  }

 private:
  Measurement measurement(const YAML::Node& node, int index, const std::vector<Step>& steps,
                          const NoiseModel& noise) {
    const std::string name = fmt::format("measurement {}", index);
    Measurement result;
    result.where = fmt::format("{}{}: ", values_.place(node), name);
    result.steps = steps;
    result.noise = noise;
    if (node.IsScalar()) {
      result.file = values_.path("file", node);
      return result;
    }
    values_.map(
        node, name + ": key",
        {{"file", [&](const YAML::Node& value) { result.file = values_.path("file", value); }},
         {"page",
          [&](const YAML::Node& value) {
            result.choice.page = values_.integer("page", value, 1, most_pages);
          }},
         {"axes", [&](const YAML::Node& value) { result.choice.axes = axes(value); }},
         {"dataset",
          [&](const YAML::Node& value) { result.choice.dataset = values_.text("dataset", value); }},
         {"operator",
          [&](const YAML::Node& value) {
            result.steps = read_chain(values_, value, name + ": operator");
          }},
         {"noise", [&](const YAML::Node& value) { result.noise = noise_model(value); }},
         {"weight", [&](const YAML::Node& value) {
            result.weight = values_.number("weight", value, Sign::positive);
          }}});
    if (result.file.empty()) values_.fail(node, name + ": there is no key \"file\"");
    return result;
  }

  /// Letters, each once.
  std::string axes(const YAML::Node& node) {
    const std::string letters = values_.text("axes", node);
    const auto count = [&](char letter) {
      return std::count(letters.begin(), letters.end(), letter);
    };
    const bool is_known = letters.find_first_not_of("czyx") == std::string::npos;
    if (!is_known || count('y') != 1 || count('x') != 1 || count('z') > 1 || count('c') > 1) {
      values_.fail(node,
                   fmt::format("axes: expected y, x and what else the file has of z (slices) and "
                               "c (channels), in its order, such as zyx, got \"{}\"",
                               letters));
    }
    return letters;
  }

  NoiseModel noise_model(const YAML::Node& node) {
    NoiseModel noise{.where = values_.place(node) + "noise: "};
    if (node.IsScalar()) {
      noise.kind = values_.word<NoiseKind>("noise", node);
      return noise;
    }
    std::string of_gaussian;
    std::string of_poisson;
    values_.map(
        node, "noise: key",
        {{"model",
          [&](const YAML::Node& value) { noise.kind = values_.word<NoiseKind>("model", value); }},
         {"level",
          [&](const YAML::Node& value) {
            noise.level = values_.number_or_auto("level", value);
            of_gaussian = "level";
          }},
         {"gain",
          [&](const YAML::Node& value) {
            noise.gain = values_.number_or_auto("gain", value);
            of_poisson = "gain";
          }},
         {"background", [&](const YAML::Node& value) {
            noise.background =
                value.IsScalar() && value.Scalar() == "auto"
                    ? std::nullopt
                    : std::optional(values_.number("background", value, Sign::not_negative));
            of_poisson = "background";
          }}});
    const std::string& wrong = noise.kind == NoiseKind::gaussian ? of_poisson : of_gaussian;
    if (!wrong.empty()) {
      values_.fail(node, fmt::format("noise: {} is for the model {}", wrong,
                                     noise.kind == NoiseKind::gaussian ? "poisson" : "gaussian"));
    }
    return noise;
  }

  ImageSettings image(const YAML::Node& node) {
    ImageSettings settings;
    settings.where = values_.place(node) + "image: ";
    values_.map(node, "image: key",
                {{"white",
                  [&](const YAML::Node& value) {
                    settings.white = values_.number_or_auto("white", value);
                    settings.white_is_largest = !settings.white;
                  }},
                 {"clamp", [&](const YAML::Node& value) { settings.clamp = clamp(value); }}});
    return settings;
  }

  Clamp clamp(const YAML::Node& node) {
    if (node.IsScalar() && node.Scalar() == "none") return {.is_open = true};
    if (node.IsScalar())
      values_.fail(
          node, fmt::format("clamp: expected [low, high] or none, got {}", grid::described(node)));
    const auto [low, high] = values_.numbers<2>("clamp", node);
    if (!(low < high)) {
      values_.fail(node,
                   fmt::format("clamp: is [{}, {}], expected [low, high], low < high", low, high));
    }
    return {.low = low, .high = high};
  }

  PriorSettings prior(const YAML::Node& node) {
    PriorSettings settings;
    settings.where = values_.place(node) + "prior: ";
    if (node.IsScalar()) {
      settings.name = values_.word<PriorName>("prior", node);
      return settings;
    }
    values_.map(
        node, "prior: key",
        {{"name",
          [&](const YAML::Node& value) { settings.name = values_.word<PriorName>("name", value); }},
         {"weight",
          [&](const YAML::Node& value) {
            if (value.IsScalar()) settings.rule = settings::from_name<WeightRule>(value.Scalar());
            if (!settings.rule) settings.weight = values_.number_or_auto("weight", value);
          }},
         {"weights",
          [&](const YAML::Node& value) { settings.weights = values_.path("weights", value); }}});
    return settings;
  }

  SolverSettings solver(const YAML::Node& node) {
    constexpr std::int64_t most_iterations = 1 << 20;
    SolverSettings settings;
    settings.where = values_.place(node) + "solver: ";
    if (node.IsScalar()) {
      settings.name = values_.word<restoration::SolverKind>("solver", node);
      return settings;
    }
    values_.map(node, "solver: key",
                {{"name",
                  [&](const YAML::Node& value) {
                    settings.name = values_.word<restoration::SolverKind>("name", value);
                  }},
                 {"iterations",
                  [&](const YAML::Node& value) {
                    settings.iterations = values_.integer("iterations", value, 1, most_iterations);
                  }},
                 {"precision", [&](const YAML::Node& value) {
                    settings.precision = values_.word<Precision>("precision", value);
                  }}});
    return settings;
  }

  ValueReader values_;
};

}  // namespace

Config read_config(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw tessera::error::Io(fmt::format("{}: cannot open", path));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) throw tessera::error::Io(fmt::format("{}: cannot be read", path));
  return parse_config(text, path);
}

Config parse_config(const std::string& text, const std::string& file) {
  return ConfigReader(file).read(text);
}

std::vector<std::string> files_of(const Config& config) {
  std::vector<std::string> files = {config.file};
  const auto add = [&](const std::string& file) {
    if (!file.empty()) files.push_back(file);
  };
  for (const Measurement& measurement : config.measurements) {
    add(measurement.file);
    for (const Step& step : measurement.steps) {
      std::visit(
          [&](const auto& each) {
            if constexpr (requires { each.file; }) add(each.file);
            if constexpr (requires { each.kernel; }) add(each.kernel);
            if constexpr (requires { each.kernels; }) add(each.kernels);
            if constexpr (requires { each.mask; }) add(each.mask);
          },
          step);
    }
  }
  add(config.prior.weights);
  return files;
}

}  // namespace restore
