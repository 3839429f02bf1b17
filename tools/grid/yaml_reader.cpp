// SPDX-License-Identifier: BSD-3-Clause
#include "grid/yaml_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <sstream>

#include "settings/numbers.hpp"
#include "settings/plain_text.hpp"

namespace grid {

using namespace settings;

namespace {

constexpr std::size_t largest_file = 1 << 20;
constexpr std::size_t longest_key = 1024;
constexpr std::size_t longest_value = 4096;
constexpr std::size_t most_values = 50'000;

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::integer:
      return "an integer in decimal digits without leading zeros";
    case Kind::per_axis:
      return "an integer in decimal digits without leading zeros, or one per axis as in 4x32x32";
    case Kind::seed:
      return "an integer from 0 to 2^64 - 1 without leading zeros";
    case Kind::number:
      return "a finite number like 0.1";
    case Kind::number_or_auto:
      return "a finite number like 0.1, or auto";
    case Kind::boolean:
      return "true or false";
    case Kind::text:
      return "a text";
    case Kind::path:
      return "the name of a file";
  }
  return "a value";
}

bool is_written_as(Kind kind, const std::string& value) {
  switch (kind) {
    case Kind::integer:
      return to_integer(value).has_value();
    case Kind::per_axis:
      return to_integers(value).has_value();
    case Kind::seed:
      return to_unsigned(value).has_value();
    case Kind::number:
      return to_number(value).has_value();
    case Kind::number_or_auto:
      return value == "auto" || to_number(value).has_value();
    case Kind::path:
      return !value.empty();
    case Kind::boolean:
    case Kind::text:
      break;
  }
  return true;
}

bool is_text(Kind kind) {
  return kind == Kind::text || kind == Kind::path;
}

/// Hears a parser, and counts documents.
struct DocumentCounter final : YAML::EventHandler {
  int count = 0;
  YAML::Mark last;  ///< where the last one begins

  void OnDocumentStart(const YAML::Mark& mark) override {
    ++count;
    last = mark;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

}  // namespace

Place place_of(const YAML::Mark& mark) {
  if (mark.line < 0 || mark.column < 0) return {};
  return {mark.line + 1, mark.column + 1};
}

std::string described(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return printable(node.Scalar());
    case YAML::NodeType::Sequence:
      return fmt::format("a list of {}", node.size());
    case YAML::NodeType::Map:
      return "keys and values";
    default:
      return "nothing";
  }
}

void YamlReader::fail(const YAML::Mark& mark, const std::string& message) const {
  throw tessera::error::InvalidArgument(at_place(file_, place_of(mark)) + message);
}

void YamlReader::fail_at_byte(const std::string& text, std::size_t byte) const {
  const std::string before = text.substr(0, byte);
  const std::size_t newline = before.rfind('\n');
  const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
  const Place place{1 + static_cast<int>(std::count(before.begin(), before.end(), '\n')),
                    1 + static_cast<int>(byte - begin)};
  throw tessera::error::InvalidArgument(fmt::format("{}the byte 0x{:02x} is no UTF-8",
                                                    at_place(file_, place),
                                                    static_cast<unsigned char>(text[byte])));
}

YAML::Node YamlReader::document(const std::string& text) const {
  if (text.size() > largest_file) {
    fail(YAML::Mark::null_mark(), "is larger than a megabyte, which is no configuration");
  }
  const std::size_t flaw = first_not_utf8(text);
  if (flaw != std::string::npos) fail_at_byte(text, flaw);
  YAML::Node first;
  DocumentCounter documents;
  try {
    first = YAML::Load(text);
    // Not LoadAll: some texts that are not YAML it reads for ever.
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    for (int i = 0; i < 2; ++i) parser.HandleNextDocument(documents);
  } catch (const YAML::Exception& error) {
    fail(error.mark, fmt::format("not YAML: {}", error.msg));
  }
  if (first.IsNull()) fail(YAML::Mark::null_mark(), "is empty, expected keys and values");
  if (documents.count > 1) fail(documents.last, "a second document, expected one");
  if (!first.IsMap()) {
    fail(first, fmt::format("expected keys and values at the top, got {}", described(first)));
  }
  return first;
}

void YamlReader::unknown(const YAML::Node& node, const std::string& what,
                         const std::vector<std::string_view>& candidates) const {
  fail(node, fmt::format("unknown {} {}; the nearest known one is \"{}\" (known: {})", what,
                         described(node), nearest(node.Scalar(), candidates),
                         fmt::join(candidates, ", ")));
}

void YamlReader::check_key(const YAML::Node& key) const {
  if (!key.IsScalar()) fail(key, fmt::format("expected a key, got {}", described(key)));
  if (key.Scalar().size() > longest_key) {
    fail(key, fmt::format("the key {} has more than {} bytes", described(key), longest_key));
  }
  const std::string flaw = flaw_of_line(key.Scalar());
  if (!flaw.empty()) fail(key, fmt::format("the key {} has {}", described(key), flaw));
}

void YamlReader::check_new(std::set<std::string>& seen, const YAML::Node& node,
                           const std::string& key) const {
  if (!seen.insert(key).second) fail(node, fmt::format("key {} is there twice", printable(key)));
}

Setting YamlReader::setting(std::string_view key, Kind kind, const YAML::Node& node) {
  if (++values_ > most_values) {
    fail(node, fmt::format("more than {} values, counting aliases", most_values));
  }
  Setting result{std::string(key), node.IsScalar() ? node.Scalar() : "", place_of(node.Mark())};
  if (result.value.size() > longest_value) {
    fail(node, fmt::format("{}: the value has more than {} bytes", key, longest_value));
  }
  const bool is_quoted = node.IsDefined() && node.Tag() == "!";
  bool good = node.IsScalar() && is_written_as(kind, result.value);
  if (good && !is_text(kind) && is_quoted && result.value != "auto") good = false;
  if (good && kind == Kind::boolean) {
    bool value = false;
    good = YAML::convert<bool>::decode(node, value);
    result.value = value ? "true" : "false";
  }
  if (!good) {
    fail(node, fmt::format("{}: expected {}, got {}{}", key, name_of(kind), described(node),
                           is_quoted && !is_text(kind) ? ", a text because of its quotes" : ""));
  }
  if (is_text(kind)) checked(node, [&] { check_line(result.key, result.value); });
  return result;
}

}  // namespace grid
