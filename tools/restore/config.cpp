// SPDX-License-Identifier: BSD-3-Clause
#include "restore/config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string_view>

#include "grid/yaml_reader.hpp"
#include "restoration/enums.hpp"
#include "settings/numbers.hpp"

namespace restore {

using settings::Kind;

namespace {

constexpr std::int64_t most_pages = 1 << 20;

/// A key of a map, and what reads its value.
struct Entry {
  std::string_view key;
  std::function<void(const YAML::Node&)> read;
};

enum class Sign { any, not_negative, positive };

class ConfigReader {
 public:
  explicit ConfigReader(const std::string& file)
      : yaml_(file), file_(file), folder_(std::filesystem::path(file).parent_path()) {}

  Config read(const std::string& text) {
    const YAML::Node document = yaml_.document(text);
    Config config;
    config.file = file_;
    config.image.where = config.prior.where = config.solver.where = file_ + ": ";
    YAML::Node measurements;
    std::vector<Step> steps;
    NoiseModel noise{.where = file_ + ": "};
    read_map(document, "key",
             {{"measurements", [&](const YAML::Node& node) { measurements.reset(node); }},
              {"operator", [&](const YAML::Node& node) { steps = chain(node, "operator"); }},
              {"noise", [&](const YAML::Node& node) { noise = noise_model(node); }},
              {"image", [&](const YAML::Node& node) { config.image = image(node); }},
              {"prior", [&](const YAML::Node& node) { config.prior = prior(node); }},
              {"solver", [&](const YAML::Node& node) { config.solver = solver(node); }},
              {"output",
               [&](const YAML::Node& node) {
                 config.output = path("output", node);
                 config.output_where = place(node) + "output";
               }},
              {"report", [&](const YAML::Node& node) {
                 config.report = path("report", node);
                 config.report_where = place(node) + "report";
               }}});
    if (!measurements.IsDefined() || measurements.IsNull()) missing("measurements");
    if (config.output.empty()) missing("output");
    if (!measurements.IsSequence() || measurements.size() == 0) {
      yaml_.fail(measurements, fmt::format("measurements: expected a list, got {}",
                                           grid::described(measurements)));
    }
    for (const YAML::Node& node : measurements) {
      const auto number = static_cast<int>(config.measurements.size() + 1);
      config.measurements.push_back(measurement(node, number, steps, noise));
    }
    return config;
  }

 private:
  std::string place(const YAML::Node& node) const {
    return grid::at_place(file_, grid::place_of(node.Mark()));
  }

  [[noreturn]] void missing(const std::string& key) const {
    throw tessera::error::InvalidArgument(fmt::format("{}: there is no key \"{}\"", file_, key));
  }

  /// Reads the keys of a map; `what` is what an unknown one is called.
  void read_map(const YAML::Node& map, const std::string& what, const std::vector<Entry>& entries) {
    if (!map.IsMap()) {
      yaml_.fail(map,
                 fmt::format("{}: expected keys and values, got {}", what, grid::described(map)));
    }
    yaml_.for_each(map, [&](const YAML::Node& key, const YAML::Node& value) {
      for (const Entry& entry : entries) {
        if (entry.key == key.Scalar()) return entry.read(value);
      }
      std::vector<std::string_view> known;
      for (const Entry& entry : entries) known.push_back(entry.key);
      yaml_.unknown(key, what, known);
    });
  }

  double number(std::string_view key, const YAML::Node& node, Sign sign) {
    const double value = *settings::to_number(yaml_.setting(key, Kind::number, node).value);
    const bool fits = sign == Sign::any || value > 0 || (sign == Sign::not_negative && value == 0);
    if (!fits) {
      yaml_.fail(node, fmt::format("{}: is {}, expected {}", key, value,
                                   sign == Sign::positive ? "more than zero" : "zero or more"));
    }
    return value;
  }

  /// A positive number; nothing for auto.
  std::optional<double> number_or_auto(std::string_view key, const YAML::Node& node) {
    if (yaml_.setting(key, Kind::number_or_auto, node).value == "auto") return std::nullopt;
    return number(key, node, Sign::positive);
  }

  std::int64_t integer(std::string_view key, const YAML::Node& node, std::int64_t low,
                       std::int64_t high) {
    const std::int64_t value = *settings::to_integer(yaml_.setting(key, Kind::integer, node).value);
    if (value < low || value > high) {
      yaml_.fail(node, fmt::format("{}: is {}, expected {} to {}", key, value, low, high));
    }
    return value;
  }

  bool boolean(std::string_view key, const YAML::Node& node) {
    return yaml_.setting(key, Kind::boolean, node).value == "true";
  }

  /// One of the words of an enum.
  template <typename Enum>
  Enum word(std::string_view key, const YAML::Node& node) {
    const std::string text = yaml_.setting(key, Kind::text, node).value;
    if (const auto value = settings::from_name<Enum>(text)) return *value;
    std::vector<std::string_view> known;
    for (const auto& entry : settings::enum_names<Enum>) known.push_back(entry.name);
    yaml_.unknown(node, std::string(key), known);
  }

  std::string path(std::string_view key, const YAML::Node& node) {
    const std::filesystem::path given = yaml_.setting(key, Kind::path, node).value;
    return (given.is_absolute() ? given : folder_ / given).lexically_normal().string();
  }

  template <std::size_t count>
  std::array<double, count> numbers(std::string_view key, const YAML::Node& node) {
    if (!node.IsSequence() || node.size() != count) {
      yaml_.fail(node, fmt::format("{}: expected a list of {} numbers, got {}", key, count,
                                   grid::described(node)));
    }
    std::array<double, count> values = {};
    for (std::size_t i = 0; i < count; ++i) values.at(i) = number(key, node[i], Sign::any);
    return values;
  }

  Measurement measurement(const YAML::Node& node, int index, const std::vector<Step>& steps,
                          const NoiseModel& noise) {
    const std::string name = fmt::format("measurement {}", index);
    Measurement result;
    result.where = fmt::format("{}{}: ", place(node), name);
    result.steps = steps;
    result.noise = noise;
    if (node.IsScalar()) {
      result.file = path("file", node);
      return result;
    }
    read_map(node, name + ": key",
             {{"file", [&](const YAML::Node& value) { result.file = path("file", value); }},
              {"page",
               [&](const YAML::Node& value) {
                 result.choice.page = integer("page", value, 1, most_pages);
               }},
              {"axes", [&](const YAML::Node& value) { result.choice.axes = axes(value); }},
              {"dataset",
               [&](const YAML::Node& value) {
                 result.choice.dataset = yaml_.setting("dataset", Kind::text, value).value;
               }},
              {"operator",
               [&](const YAML::Node& value) { result.steps = chain(value, name + ": operator"); }},
              {"noise", [&](const YAML::Node& value) { result.noise = noise_model(value); }},
              {"weight", [&](const YAML::Node& value) {
                 result.weight = number("weight", value, Sign::positive);
               }}});
    if (result.file.empty()) yaml_.fail(node, name + ": there is no key \"file\"");
    return result;
  }

  /// Letters, each once.
  std::string axes(const YAML::Node& node) {
    const std::string letters = yaml_.setting("axes", Kind::text, node).value;
    const auto count = [&](char letter) {
      return std::count(letters.begin(), letters.end(), letter);
    };
    const bool is_known = letters.find_first_not_of("czyx") == std::string::npos;
    if (!is_known || count('y') != 1 || count('x') != 1 || count('z') > 1 || count('c') > 1) {
      yaml_.fail(node,
                 fmt::format("axes: expected y, x and what else the file has of z (slices) and "
                             "c (channels), in its order, such as zyx, got \"{}\"",
                             letters));
    }
    return letters;
  }

  /// One step, or a list of them in the order in which they act.
  std::vector<Step> chain(const YAML::Node& node, const std::string& who) {
    std::vector<Step> steps;
    if (!node.IsSequence()) {
      add_step(steps, node, who);
      return steps;
    }
    for (const YAML::Node& each : node) add_step(steps, each, who);
    for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
      if (!is_no_picture({steps[i]})) continue;
      yaml_.fail(node, who +
                           ": expected matrix and fourier as the last step, whose result is no "
                           "picture");
    }
    return steps;
  }

  void add_step(std::vector<Step>& steps, const YAML::Node& node, const std::string& who) {
    static const std::vector<std::string_view> known = {
        "identity", "blur",   "space_varying_blur", "down_sampling", "mask",
        "warp",     "matrix", "tomography",         "fourier"};
    if (node.IsScalar()) {
      if (node.Scalar() == "identity") return;
      const bool is_known = std::find(known.begin(), known.end(), node.Scalar()) != known.end();
      if (!is_known) yaml_.unknown(node, who, known);
      yaml_.fail(node, fmt::format("{}: {} needs parameters, such as \"{}: {{...}}\"", who,
                                   node.Scalar(), node.Scalar()));
    }
    if (!node.IsMap() || node.size() != 1) {
      yaml_.fail(node, fmt::format("{}: expected one operator or a list of them, each with its "
                                   "parameters, got {}",
                                   who,
                                   node.IsMap() ? fmt::format("{} keys", node.size())
                                                : grid::described(node)));
    }
    const std::string name = node.begin()->first.Scalar();
    const std::string where = fmt::format("{}{}: {}: ", place(node), who, name);
    yaml_.for_each(node, [&](const YAML::Node& key, const YAML::Node& value) {
      if (name == "blur") {
        steps.emplace_back(blur(value, where, who));
      } else if (name == "space_varying_blur") {
        steps.emplace_back(space_varying_blur(value, where, who));
      } else if (name == "down_sampling") {
        steps.emplace_back(down_sampling(value, where, who));
      } else if (name == "mask") {
        MaskStep mask{.where = where, .file = {}};
        read_map(value, who + ": mask: key",
                 {{"file", [&](const YAML::Node& file) { mask.file = path("file", file); }}});
        if (mask.file.empty()) yaml_.fail(value, who + ": mask: there is no key \"file\"");
        steps.emplace_back(mask);
      } else if (name == "warp") {
        steps.emplace_back(warp(value, where, who));
      } else if (name == "matrix") {
        steps.emplace_back(matrix(value, where, who));
      } else if (name == "tomography") {
        steps.emplace_back(tomography(value, where, who));
      } else if (name == "fourier") {
        steps.emplace_back(fourier(value, where, who));
      } else {
        yaml_.unknown(key, who, known);
      }
    });
  }

  BlurStep blur(const YAML::Node& node, const std::string& where, const std::string& who) {
    BlurStep step{.where = where, .kernel = {}};
    read_map(
        node, who + ": blur: key",
        {{"kernel", [&](const YAML::Node& value) { step.kernel = path("kernel", value); }},
         {"gaussian",
          [&](const YAML::Node& value) {
            if (value.IsScalar()) {
              step.gaussian = {number("gaussian", value, Sign::positive)};
            } else {
              for (const YAML::Node& each : value) {
                step.gaussian.push_back(number("gaussian", each, Sign::positive));
              }
            }
          }},
         {"border",
          [&](const YAML::Node& value) { step.border = word<tessera::Padding>("border", value); }},
         {"normalise",
          [&](const YAML::Node& value) { step.normalise = boolean("normalise", value); }}});
    if (step.kernel.empty() == step.gaussian.empty()) {
      yaml_.fail(node, fmt::format("{}: blur: expected kernel, a file, or gaussian, a standard "
                                   "deviation in pixels, got {}",
                                   who, step.kernel.empty() ? "neither" : "both"));
    }
    return step;
  }

  SpaceVaryingBlurStep space_varying_blur(const YAML::Node& node, const std::string& where,
                                          const std::string& who) {
    constexpr std::int64_t most_nodes = 1024;
    SpaceVaryingBlurStep step{.where = where};
    bool has_grid = false;
    read_map(
        node, who + ": space_varying_blur: key",
        {{"kernels", [&](const YAML::Node& value) { step.kernels = path("kernels", value); }},
         {"grid",
          [&](const YAML::Node& value) {
            has_grid = true;
            if (!value.IsSequence() || value.size() != 2) {
              yaml_.fail(value, fmt::format("grid: expected [rows, columns], got {}",
                                            grid::described(value)));
            }
            step.grid = {integer("grid", value[0], 1, most_nodes),
                         integer("grid", value[1], 1, most_nodes)};
          }},
         {"border",
          [&](const YAML::Node& value) { step.border = word<tessera::Padding>("border", value); }},
         {"normalise",
          [&](const YAML::Node& value) { step.normalise = boolean("normalise", value); }}});
    if (step.kernels.empty() || !has_grid) {
      yaml_.fail(node, fmt::format("{}: space_varying_blur: there is no key \"{}\"", who,
                                   step.kernels.empty() ? "kernels" : "grid"));
    }
    return step;
  }

  DownSamplingStep down_sampling(const YAML::Node& node, const std::string& where,
                                 const std::string& who) {
    constexpr std::int64_t largest_factor = 64;
    DownSamplingStep step{.where = where};
    read_map(
        node, who + ": down_sampling: key",
        {{"factor",
          [&](const YAML::Node& value) {
            step.factor = integer("factor", value, 1, largest_factor);
          }},
         {"shift", [&](const YAML::Node& value) { step.shift = numbers<2>("shift", value); }},
         {"average", [&](const YAML::Node& value) { step.averages = boolean("average", value); }}});
    return step;
  }

  WarpStep warp(const YAML::Node& node, const std::string& where, const std::string& who) {
    WarpStep step{.where = where};
    bool is_given = false;
    read_map(node, who + ": warp: key",
             {{"matrix", [&](const YAML::Node& value) {
                 is_given = true;
                 if (!value.IsSequence() || value.size() != 2) {
                   yaml_.fail(value, fmt::format("matrix: expected two rows of three numbers, "
                                                 "[[a, b, down], [c, d, right]], got {}",
                                                 grid::described(value)));
                 }
                 for (std::size_t row = 0; row < 2; ++row) {
                   const auto numbers_of_row = numbers<3>("matrix", value[row]);
                   std::copy(numbers_of_row.begin(), numbers_of_row.end(),
                             step.matrix.begin() + static_cast<std::ptrdiff_t>(3 * row));
                 }
               }}});
    if (!is_given) yaml_.fail(node, who + ": warp: there is no key \"matrix\"");
    return step;
  }

  /// The extents of an image of two axes, or up to `most`.
  std::vector<std::int64_t> shape(const YAML::Node& node, std::size_t most) {
    constexpr std::int64_t longest = 1 << 20;
    if (!node.IsSequence() || node.size() < 2 || node.size() > most) {
      yaml_.fail(node,
                 fmt::format("shape: expected [rows, columns]{}, got {}",
                             most > 2 ? " or [slices, rows, columns]" : "", grid::described(node)));
    }
    std::vector<std::int64_t> extents;
    for (const YAML::Node& each : node) extents.push_back(integer("shape", each, 1, longest));
    return extents;
  }

  MatrixStep matrix(const YAML::Node& node, const std::string& where, const std::string& who) {
    MatrixStep step{.where = where};
    read_map(node, who + ": matrix: key",
             {{"file", [&](const YAML::Node& value) { step.file = path("file", value); }},
              {"shape", [&](const YAML::Node& value) { step.shape = shape(value, 3); }}});
    if (step.file.empty()) yaml_.fail(node, who + ": matrix: there is no key \"file\"");
    return step;
  }

  TomographyStep tomography(const YAML::Node& node, const std::string& where,
                            const std::string& who) {
    TomographyStep step{.where = where};
    read_map(node, who + ": tomography: key",
             {{"angles", [&](const YAML::Node& value) { step.angles = angles(value); }},
              {"spacing",
               [&](const YAML::Node& value) {
                 step.spacing = number("spacing", value, Sign::positive);
               }},
              {"shape", [&](const YAML::Node& value) { step.shape = shape(value, 2); }}});
    if (step.angles.empty()) yaml_.fail(node, who + ": tomography: there is no key \"angles\"");
    return step;
  }

  /// A list of them, or count angles, the first one `from`, in equal steps that would end at `to`.
  std::vector<double> angles(const YAML::Node& node) {
    constexpr std::int64_t most_views = 1 << 20;
    std::vector<double> degrees;
    if (node.IsSequence()) {
      for (const YAML::Node& each : node) degrees.push_back(number("angles", each, Sign::any));
      return degrees;
    }
    std::int64_t count = 0;
    double from = 0;
    double to = 180;
    read_map(node, "angles: key",
             {{"count",
               [&](const YAML::Node& value) { count = integer("count", value, 1, most_views); }},
              {"from", [&](const YAML::Node& value) { from = number("from", value, Sign::any); }},
              {"to", [&](const YAML::Node& value) { to = number("to", value, Sign::any); }}});
    if (count == 0) yaml_.fail(node, "angles: there is no key \"count\"");
    for (std::int64_t view = 0; view < count; ++view) {
      degrees.push_back(from +
                        (to - from) * static_cast<double>(view) / static_cast<double>(count));
    }
    return degrees;
  }

  FourierStep fourier(const YAML::Node& node, const std::string& where, const std::string& who) {
    FourierStep step{.where = where};
    read_map(node, who + ": fourier: key",
             {{"mask", [&](const YAML::Node& value) { step.mask = path("mask", value); }}});
    if (step.mask.empty()) yaml_.fail(node, who + ": fourier: there is no key \"mask\"");
    return step;
  }

  NoiseModel noise_model(const YAML::Node& node) {
    NoiseModel noise{.where = place(node) + "noise: "};
    if (node.IsScalar()) {
      noise.kind = word<NoiseKind>("noise", node);
      return noise;
    }
    std::string of_gaussian;
    std::string of_poisson;
    read_map(
        node, "noise: key",
        {{"model", [&](const YAML::Node& value) { noise.kind = word<NoiseKind>("model", value); }},
         {"level",
          [&](const YAML::Node& value) {
            noise.level = number_or_auto("level", value);
            of_gaussian = "level";
          }},
         {"gain",
          [&](const YAML::Node& value) {
            noise.gain = number("gain", value, Sign::positive);
            of_poisson = "gain";
          }},
         {"background", [&](const YAML::Node& value) {
            noise.background = number("background", value, Sign::not_negative);
            of_poisson = "background";
          }}});
    const std::string& wrong = noise.kind == NoiseKind::gaussian ? of_poisson : of_gaussian;
    if (!wrong.empty()) {
      yaml_.fail(node, fmt::format("noise: {} is for the model {}", wrong,
                                   noise.kind == NoiseKind::gaussian ? "poisson" : "gaussian"));
    }
    return noise;
  }

  ImageSettings image(const YAML::Node& node) {
    ImageSettings settings;
    settings.where = place(node) + "image: ";
    read_map(node, "image: key",
             {{"white",
               [&](const YAML::Node& value) {
                 settings.white = number_or_auto("white", value);
                 settings.white_is_largest = !settings.white;
               }},
              {"clamp", [&](const YAML::Node& value) { settings.clamp = clamp(value); }}});
    return settings;
  }

  Clamp clamp(const YAML::Node& node) {
    if (node.IsScalar() && node.Scalar() == "none") return {.is_open = true};
    if (node.IsScalar())
      yaml_.fail(node,
                 fmt::format("clamp: expected [low, high] or none, got {}", grid::described(node)));
    const auto [low, high] = numbers<2>("clamp", node);
    if (!(low < high)) {
      yaml_.fail(node,
                 fmt::format("clamp: is [{}, {}], expected [low, high], low < high", low, high));
    }
    return {.low = low, .high = high};
  }

  PriorSettings prior(const YAML::Node& node) {
    PriorSettings settings;
    settings.where = place(node) + "prior: ";
    if (node.IsScalar()) {
      settings.name = word<PriorName>("prior", node);
      return settings;
    }
    read_map(
        node, "prior: key",
        {{"name", [&](const YAML::Node& value) { settings.name = word<PriorName>("name", value); }},
         {"weight",
          [&](const YAML::Node& value) {
            if (value.IsScalar()) settings.rule = settings::from_name<WeightRule>(value.Scalar());
            if (!settings.rule) settings.weight = number_or_auto("weight", value);
          }},
         {"weights", [&](const YAML::Node& value) { settings.weights = path("weights", value); }}});
    return settings;
  }

  SolverSettings solver(const YAML::Node& node) {
    constexpr std::int64_t most_iterations = 1 << 20;
    SolverSettings settings;
    settings.where = place(node) + "solver: ";
    if (node.IsScalar()) {
      settings.name = word<restoration::SolverKind>("solver", node);
      return settings;
    }
    read_map(node, "solver: key",
             {{"name",
               [&](const YAML::Node& value) {
                 settings.name = word<restoration::SolverKind>("name", value);
               }},
              {"iterations",
               [&](const YAML::Node& value) {
                 settings.iterations = integer("iterations", value, 1, most_iterations);
               }},
              {"precision", [&](const YAML::Node& value) {
                 settings.precision = word<Precision>("precision", value);
               }}});
    return settings;
  }

  grid::YamlReader yaml_;
  std::string file_;
  std::filesystem::path folder_;
};

std::string words_of(const BlurStep& step) {
  const std::string kernel = step.kernel.empty()
                                 ? fmt::format("gaussian {}", fmt::join(step.gaussian, ", "))
                                 : std::filesystem::path(step.kernel).filename().string();
  return fmt::format("blur {} ({})", kernel, settings::name_of(step.border));
}

std::string words_of(const SpaceVaryingBlurStep& step) {
  return fmt::format("space_varying_blur {}x{} of {} ({})", step.grid[1], step.grid[0],
                     std::filesystem::path(step.kernels).filename().string(),
                     settings::name_of(step.border));
}

std::string words_of(const DownSamplingStep& step) {
  const bool is_moved = step.shift[0] != 0 || step.shift[1] != 0;
  return fmt::format("down_sampling {}{}{}", step.factor,
                     is_moved ? fmt::format(" moved {}, {}", step.shift[0], step.shift[1]) : "",
                     step.averages ? "" : " not averaged");
}

std::string words_of(const MaskStep& step) {
  return fmt::format("mask {}", std::filesystem::path(step.file).filename().string());
}

std::string words_of(const WarpStep& step) {
  return fmt::format("warp {}", fmt::join(step.matrix, " "));
}

std::string words_of(const MatrixStep& step) {
  return fmt::format("matrix {}", std::filesystem::path(step.file).filename().string());
}

std::string words_of(const TomographyStep& step) {
  return fmt::format("tomography of {} views from {:.6g} to {:.6g} degrees", step.angles.size(),
                     step.angles.front(), step.angles.back());
}

std::string words_of(const FourierStep& step) {
  return fmt::format("fourier {}", std::filesystem::path(step.mask).filename().string());
}

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

std::string words_of(const std::vector<Step>& steps) {
  std::string words;
  for (const Step& step : steps) {
    words += (words.empty() ? "" : ", ") +
             std::visit([](const auto& each) { return words_of(each); }, step);
  }
  return words.empty() ? "identity" : words;
}

bool has_own_unit(const std::vector<Step>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const Step& step) {
    return std::holds_alternative<TomographyStep>(step) || is_no_picture({step});
  });
}

bool is_no_picture(const std::vector<Step>& steps) {
  return !steps.empty() && (std::holds_alternative<MatrixStep>(steps.back()) ||
                            std::holds_alternative<FourierStep>(steps.back()));
}

}  // namespace restore
