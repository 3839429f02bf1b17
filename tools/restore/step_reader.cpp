// SPDX-License-Identifier: BSD-3-Clause
#include "restore/step_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "restoration/enums.hpp"

namespace restore {

namespace {

class StepReader {
 public:
  explicit StepReader(ValueReader& values) : values_(values) {}

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
      values_.fail(node, who +
                             ": expected matrix and fourier as the last step, whose result is no "
                             "picture");
    }
    return steps;
  }

 private:
  using Read = Step (StepReader::*)(const YAML::Node& node, const std::string& where,
                                    const std::string& who);

  struct NamedReader {
    std::string_view name;
    Read read;
  };

  /// The names of steps, and what reads their parameters; the identity has none.
  static const std::vector<NamedReader>& readers() {
    static const std::vector<NamedReader> all = {
        {"identity", nullptr},
        {"blur", &StepReader::blur},
        {"space_varying_blur", &StepReader::space_varying_blur},
        {"down_sampling", &StepReader::down_sampling},
        {"mask", &StepReader::mask},
        {"warp", &StepReader::warp},
        {"matrix", &StepReader::matrix},
        {"tomography", &StepReader::tomography},
        {"fourier", &StepReader::fourier}};
    return all;
  }

  Read reader_of(const YAML::Node& name, const std::string& who) const {
    std::vector<std::string_view> known;
    for (const auto& each : readers()) {
      if (each.name == name.Scalar() && each.read != nullptr) return each.read;
      known.push_back(each.name);
    }
    values_.unknown(name, who, known);
  }

  void add_step(std::vector<Step>& steps, const YAML::Node& node, const std::string& who) {
    if (node.IsScalar()) {
      if (node.Scalar() == "identity") return;
      reader_of(node, who);  // throws if there is none
      values_.fail(node, fmt::format("{}: {} needs parameters, such as \"{}: {{...}}\"", who,
                                     node.Scalar(), node.Scalar()));
    }
    if (!node.IsMap() || node.size() != 1) {
      values_.fail(node, fmt::format("{}: expected one operator or a list of them, each with its "
                                     "parameters, got {}",
                                     who,
                                     node.IsMap() ? fmt::format("{} keys", node.size())
                                                  : grid::described(node)));
    }
    values_.for_each(node, [&](const YAML::Node& key, const YAML::Node& value) {
      const Read read = reader_of(key, who);
      const std::string where = fmt::format("{}{}: {}: ", values_.place(node), who, key.Scalar());
      steps.push_back((this->*read)(value, where, who));
    });
  }

  Step blur(const YAML::Node& node, const std::string& where, const std::string& who) {
    BlurStep step{.where = where, .kernel = {}};
    values_.map(
        node, who + ": blur: key",
        {{"kernel", [&](const YAML::Node& value) { step.kernel = values_.path("kernel", value); }},
         {"gaussian",
          [&](const YAML::Node& value) {
            if (value.IsScalar()) {
              step.gaussian = {values_.number("gaussian", value, Sign::positive)};
            } else {
              for (const YAML::Node& each : value) {
                step.gaussian.push_back(values_.number("gaussian", each, Sign::positive));
              }
            }
          }},
         {"border",
          [&](const YAML::Node& value) {
            step.border = values_.word<tessera::Padding>("border", value);
          }},
         {"normalise",
          [&](const YAML::Node& value) { step.normalise = values_.boolean("normalise", value); }}});
    if (step.kernel.empty() == step.gaussian.empty()) {
      values_.fail(node, fmt::format("{}: blur: expected kernel, a file, or gaussian, a standard "
                                     "deviation in pixels, got {}",
                                     who, step.kernel.empty() ? "neither" : "both"));
    }
    return step;
  }

  Step space_varying_blur(const YAML::Node& node, const std::string& where,
                          const std::string& who) {
    constexpr std::int64_t most_nodes = 1024;
    SpaceVaryingBlurStep step{.where = where};
    bool has_grid = false;
    values_.map(node, who + ": space_varying_blur: key",
                {{"kernels",
                  [&](const YAML::Node& value) { step.kernels = values_.path("kernels", value); }},
                 {"grid",
                  [&](const YAML::Node& value) {
                    has_grid = true;
                    if (!value.IsSequence() || value.size() != 2) {
                      values_.fail(value, fmt::format("grid: expected [rows, columns], got {}",
                                                      grid::described(value)));
                    }
                    step.grid = {values_.integer("grid", value[0], 1, most_nodes),
                                 values_.integer("grid", value[1], 1, most_nodes)};
                  }},
                 {"border",
                  [&](const YAML::Node& value) {
                    step.border = values_.word<tessera::Padding>("border", value);
                  }},
                 {"normalise", [&](const YAML::Node& value) {
                    step.normalise = values_.boolean("normalise", value);
                  }}});
    if (step.kernels.empty() || !has_grid) {
      values_.fail(node, fmt::format("{}: space_varying_blur: there is no key \"{}\"", who,
                                     step.kernels.empty() ? "kernels" : "grid"));
    }
    return step;
  }

  Step down_sampling(const YAML::Node& node, const std::string& where, const std::string& who) {
    constexpr std::int64_t largest_factor = 64;
    DownSamplingStep step{.where = where};
    values_.map(
        node, who + ": down_sampling: key",
        {{"factor",
          [&](const YAML::Node& value) {
            step.factor = values_.integer("factor", value, 1, largest_factor);
          }},
         {"shift",
          [&](const YAML::Node& value) { step.shift = values_.numbers<2>("shift", value); }},
         {"average",
          [&](const YAML::Node& value) { step.averages = values_.boolean("average", value); }}});
    return step;
  }

  Step mask(const YAML::Node& node, const std::string& where, const std::string& who) {
    MaskStep step{.where = where, .file = {}};
    values_.map(
        node, who + ": mask: key",
        {{"file", [&](const YAML::Node& value) { step.file = values_.path("file", value); }}});
    if (step.file.empty()) values_.fail(node, who + ": mask: there is no key \"file\"");
    return step;
  }

  Step warp(const YAML::Node& node, const std::string& where, const std::string& who) {
    WarpStep step{.where = where};
    bool is_given = false;
    values_.map(node, who + ": warp: key",
                {{"matrix", [&](const YAML::Node& value) {
                    is_given = true;
                    if (!value.IsSequence() || value.size() != 2) {
                      values_.fail(value, fmt::format("matrix: expected two rows of three numbers, "
                                                      "[[a, b, down], [c, d, right]], got {}",
                                                      grid::described(value)));
                    }
                    for (std::size_t row = 0; row < 2; ++row) {
                      const auto numbers_of_row = values_.numbers<3>("matrix", value[row]);
                      std::copy(numbers_of_row.begin(), numbers_of_row.end(),
                                step.matrix.begin() + static_cast<std::ptrdiff_t>(3 * row));
                    }
                  }}});
    if (!is_given) values_.fail(node, who + ": warp: there is no key \"matrix\"");
    return step;
  }

  /// The extents of an image of two axes, or up to `most`.
  std::vector<std::int64_t> shape(const YAML::Node& node, std::size_t most) {
    constexpr std::int64_t longest = 1 << 20;
    if (!node.IsSequence() || node.size() < 2 || node.size() > most) {
      values_.fail(
          node, fmt::format("shape: expected [rows, columns]{}, got {}",
                            most > 2 ? " or [slices, rows, columns]" : "", grid::described(node)));
    }
    std::vector<std::int64_t> extents;
    for (const YAML::Node& each : node)
      extents.push_back(values_.integer("shape", each, 1, longest));
    return extents;
  }

  Step matrix(const YAML::Node& node, const std::string& where, const std::string& who) {
    MatrixStep step{.where = where};
    values_.map(
        node, who + ": matrix: key",
        {{"file", [&](const YAML::Node& value) { step.file = values_.path("file", value); }},
         {"shape", [&](const YAML::Node& value) { step.shape = shape(value, 3); }}});
    if (step.file.empty()) values_.fail(node, who + ": matrix: there is no key \"file\"");
    return step;
  }

  Step tomography(const YAML::Node& node, const std::string& where, const std::string& who) {
    TomographyStep step{.where = where};
    values_.map(node, who + ": tomography: key",
                {{"angles", [&](const YAML::Node& value) { step.angles = angles(value); }},
                 {"spacing",
                  [&](const YAML::Node& value) {
                    step.spacing = values_.number("spacing", value, Sign::positive);
                  }},
                 {"shape", [&](const YAML::Node& value) { step.shape = shape(value, 2); }}});
    if (step.angles.empty()) values_.fail(node, who + ": tomography: there is no key \"angles\"");
    return step;
  }

  /// A list of them, or count angles, the first one `from`, in equal steps that would end at `to`.
  std::vector<double> angles(const YAML::Node& node) {
    constexpr std::int64_t most_views = 1 << 20;
    std::vector<double> degrees;
    if (node.IsSequence()) {
      for (const YAML::Node& each : node)
        degrees.push_back(values_.number("angles", each, Sign::any));
      return degrees;
    }
    std::int64_t count = 0;
    double from = 0;
    double to = 180;
    values_.map(
        node, "angles: key",
        {{"count",
          [&](const YAML::Node& value) { count = values_.integer("count", value, 1, most_views); }},
         {"from",
          [&](const YAML::Node& value) { from = values_.number("from", value, Sign::any); }},
         {"to", [&](const YAML::Node& value) { to = values_.number("to", value, Sign::any); }}});
    if (count == 0) values_.fail(node, "angles: there is no key \"count\"");
    for (std::int64_t view = 0; view < count; ++view) {
      degrees.push_back(from +
                        (to - from) * static_cast<double>(view) / static_cast<double>(count));
    }
    return degrees;
  }

  Step fourier(const YAML::Node& node, const std::string& where, const std::string& who) {
    FourierStep step{.where = where};
    values_.map(
        node, who + ": fourier: key",
        {{"mask", [&](const YAML::Node& value) { step.mask = values_.path("mask", value); }}});
    if (step.mask.empty()) values_.fail(node, who + ": fourier: there is no key \"mask\"");
    return step;
  }

  ValueReader& values_;
};

}  // namespace

std::vector<Step> read_chain(ValueReader& values, const YAML::Node& node, const std::string& who) {
  return StepReader(values).chain(node, who);
}

}  // namespace restore
