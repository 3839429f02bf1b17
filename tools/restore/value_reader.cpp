// SPDX-License-Identifier: BSD-3-Clause
#include "restore/value_reader.hpp"

#include "settings/kind.hpp"
#include "settings/numbers.hpp"
#include "tessera/core/error.hpp"

namespace restore {

using settings::Kind;

std::string ValueReader::place(const YAML::Node& node) const {
  return grid::at_place(file_, grid::place_of(node.Mark()));
}

void ValueReader::missing(const std::string& key) const {
  throw tessera::error::InvalidArgument(fmt::format("{}: there is no key \"{}\"", file_, key));
}

void ValueReader::map(const YAML::Node& map, const std::string& what,
                      const std::vector<Entry>& entries) const {
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

double ValueReader::number(std::string_view key, const YAML::Node& node, Sign sign) {
  const double value = *settings::to_number(yaml_.setting(key, Kind::number, node).value);
  const bool fits = sign == Sign::any || value > 0 || (sign == Sign::not_negative && value == 0);
  if (!fits) {
    yaml_.fail(node, fmt::format("{}: is {}, expected {}", key, value,
                                 sign == Sign::positive ? "more than zero" : "zero or more"));
  }
  return value;
}

std::optional<double> ValueReader::number_or_auto(std::string_view key, const YAML::Node& node) {
  if (yaml_.setting(key, Kind::number_or_auto, node).value == "auto") return std::nullopt;
  return number(key, node, Sign::positive);
}

std::int64_t ValueReader::integer(std::string_view key, const YAML::Node& node, std::int64_t low,
                                  std::int64_t high) {
  const std::int64_t value = *settings::to_integer(yaml_.setting(key, Kind::integer, node).value);
  if (value < low || value > high) {
    yaml_.fail(node, fmt::format("{}: is {}, expected {} to {}", key, value, low, high));
  }
  return value;
}

bool ValueReader::boolean(std::string_view key, const YAML::Node& node) {
  return yaml_.setting(key, Kind::boolean, node).value == "true";
}

std::string ValueReader::text(std::string_view key, const YAML::Node& node) {
  return yaml_.setting(key, Kind::text, node).value;
}

std::string ValueReader::path(std::string_view key, const YAML::Node& node) {
  const std::filesystem::path given = yaml_.setting(key, Kind::path, node).value;
  return (given.is_absolute() ? given : folder_ / given).lexically_normal().string();
}

}  // namespace restore
