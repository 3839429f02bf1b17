// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/nan_to_num.h>

#include <algorithm>
#include <limits>

#include "catch.hpp"
#include "data_files.hpp"
#include "files.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/fits.hpp"

using namespace tessera;
using test::counting;
using test::data_file;

namespace {

bool has_card(const FitsImage& image, const std::string& start) {
  return std::any_of(image.cards.begin(), image.cards.end(),
                     [&](const std::string& card) { return card.starts_with(start); });
}

}  // namespace

TEST_CASE("read_fits reads every BITPIX", "[io][fits]") {
  const auto [name, stored, type] = GENERATE(table<std::string, at::ScalarType, at::ScalarType>({
      {"image_u1.fits", at::kByte, at::kFloat},
      {"image_i2.fits", at::kShort, at::kFloat},
      {"image_i4.fits", at::kInt, at::kDouble},
      {"image_i8.fits", at::kLong, at::kDouble},
      {"image_f4.fits", at::kFloat, at::kFloat},
      {"image_f8.fits", at::kDouble, at::kDouble},
  }));
  INFO(name);
  const FitsImage image = read_fits(data_file(name));
  CHECK(image.values.scalar_type() == type);
  CHECK(image.stored == stored);
  CHECK(at::equal(image.values, counting({3, 4}, type)));
  CHECK(image.unit.empty());
  CHECK(has_card(image, "NAXIS1  =                    4"));
}

TEST_CASE("read_fits applies offset, scale and blank", "[io][fits]") {
  const FitsImage offset = read_fits(data_file("image_u2.fits"));
  CHECK(at::equal(offset.values, counting({2, 3, 4}, at::kFloat)));
  CHECK(offset.stored == at::kUInt16);
  const FitsImage image = read_fits(data_file("image_scaled.fits"));
  CHECK(image.stored == at::kDouble);
  const Tensor scaled = image.values.flatten();
  REQUIRE(scaled.scalar_type() == at::kDouble);
  for (std::int64_t n = 0; n < 12; ++n) {
    const auto value = scaled[n].item<double>();
    CHECK((n == 5 ? std::isnan(value) : value == 10 + 0.5 * static_cast<double>(n)));
  }
}

TEST_CASE("read_fits takes the first image extension, with unit and cards", "[io][fits]") {
  const FitsImage image = read_fits(data_file("image_extension.fits"));
  CHECK(at::equal(image.values, counting({2, 1, 3, 4}, at::kFloat)));
  CHECK(image.unit == "Jy/beam");
  CHECK(has_card(image, "CTYPE1  = 'RA---SIN'"));
  CHECK(has_card(image, "HISTORY made by hand"));
}

TEST_CASE("read_fits reads windows, and the header alone", "[io][fits]") {
  const std::string name = GENERATE("image_u2.fits", "image_extension.fits", "image_scaled.fits");
  INFO(name);
  const FitsImage whole = read_fits(data_file(name));
  const FitsHeader header = read_fits_header(data_file(name));
  CHECK(header.shape == whole.values.sizes());
  CHECK(header.type == whole.values.scalar_type());
  CHECK(header.unit == whole.unit);
  CHECK(header.cards == whole.cards);
  const FitsImage part = read_fits(data_file(name), {.window = Box{{{1, 3}, {0, 3}}}});
  const Tensor expected = whole.values.slice(-2, 1, 3).slice(-1, 0, 3);
  CHECK(at::equal(at::nan_to_num(part.values, -1), at::nan_to_num(expected, -1)));
  CHECK_THROWS_AS(read_fits(data_file(name), {.window = Box{{{1, 4}, {0, 3}}}}),
                  error::InvalidArgument);
  CHECK_THROWS_AS(read_fits(data_file(name), {.window = Box{{{0, 3}}}, .max_values = 2}),
                  error::Io);
}

TEST_CASE("write_fits, then read_fits, gives the same values and cards", "[io][fits]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.fits[1]");  // a name, not a filter
  const auto type =
      GENERATE(at::kByte, at::kShort, at::kUInt16, at::kInt, at::kLong, at::kFloat, at::kDouble);
  const std::vector<std::int64_t> shape =
      GENERATE(std::vector<std::int64_t>{7}, std::vector<std::int64_t>{5, 3},
               std::vector<std::int64_t>{2, 1, 30, 41});
  Tensor written = counting(shape, at::kDouble).remainder(200).to(type);
  if (at::isFloatingType(type)) {
    written = test::indexed(shape, 0, type);
    written.flatten()[0] = std::numeric_limits<double>::infinity();
    written.flatten()[1] = 1e-40;  // denormal as float32
  }
  const std::vector<std::string> cards = read_fits(data_file("image_extension.fits")).cards;
  write_fits(path, written, cards);
  CHECK(test::read_bytes(path).size() % 2880 == 0);
  const FitsImage image = read_fits(path);
  CHECK(at::equal(image.values, written.to(image.values.scalar_type())));
  CHECK(image.stored == type);
  CHECK(image.unit == "Jy/beam");
  CHECK(has_card(image, "CTYPE1  = 'RA---SIN'"));
  CHECK(std::count_if(image.cards.begin(), image.cards.end(), [](const std::string& card) {
          return card.starts_with("NAXIS ") || card.starts_with("XTENSION") ||
                 card.starts_with("PCOUNT");
        }) == 1);
  CHECK(folder.entry_count() == 1);
}

TEST_CASE("write_fits writes views, and refuses what no FITS image is", "[io][fits]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.fits");
  const Tensor view = counting({4, 6}, at::kFloat).t();
  write_fits(path, view);
  CHECK(at::equal(read_fits(path).values, view));
  CHECK_THROWS_AS(write_fits(path, view.to(at::kComplexFloat)), error::InvalidArgument);
  CHECK_THROWS_AS(write_fits(path, view.view({6, 2, 2, 1, 1})), error::InvalidArgument);
  CHECK_THROWS_AS(write_fits(path, Tensor()), error::InvalidArgument);
  CHECK_THROWS_AS(write_fits(path, view, {"COMMENT a\nb"}), error::InvalidArgument);
  CHECK_THROWS_AS(write_fits(path, view, {std::string(81, 'A')}), error::InvalidArgument);
  CHECK_THROWS_AS(write_fits(folder.file("none/x.fits"), view), error::Io);
  CHECK(at::equal(read_fits(path).values, view));
}

TEST_CASE("read_fits refuses what it cannot read, with the cause", "[io][fits]") {
  CHECK_THROWS_WITH(read_fits(data_file("no_image.fits")),
                    test::contains("no_image.fits: has no image before its first table"));
  CHECK_THROWS_WITH(read_fits(data_file("compressed.fits")), test::contains("tile-compressed"));
  CHECK_THROWS_WITH(read_fits(data_file("rgb8.png")), test::contains("is not a FITS file"));
  CHECK_THROWS_WITH(read_fits(data_file("image_f4.fits") + "[0]"), test::contains("No such file"));
  CHECK_THROWS_WITH(read_fits(data_file("image_f4.fits"), {.max_values = 11}),
                    test::contains("more than the 11 values"));
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.fits");
  std::string bytes = test::read_bytes(data_file("image_f4.fits"));
  const std::size_t at = bytes.find("NAXIS1  =                    4");
  REQUIRE(at != std::string::npos);
  for (const auto& [digits, cause] :
       {std::pair{"999999999999", "truncated"}, std::pair{"          -4", "cfitsio says"},
        std::pair{"           0", "empty image"}, std::pair{"      xxxxxx", "cfitsio says"}}) {
    INFO(digits);
    test::write_bytes(path, std::string(bytes).replace(at + 18, 12, digits));
    CHECK_THROWS_WITH(read_fits(path), test::contains(path) && test::contains(cause));
    CHECK_THROWS_AS(read_fits(path), error::Io);
  }
}

TEST_CASE("A damaged FITS file is read or refused, a cut one refused", "[io][fits][damage]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.fits");
  std::size_t refused = 0;
  for (const std::string name : {"image_scaled.fits", "image_extension.fits", "compressed.fits"}) {
    INFO(name);
    std::string bytes = test::read_bytes(data_file(name));
    const auto attempt = [&](const std::string& changed) -> Tensor {
      test::write_bytes(path, changed);
      try {
        return read_fits(path, {.max_values = 1 << 16}).values;
      } catch (const error::Io& e) {
        CHECK_THAT(e.what(), test::contains(path));
        ++refused;
        return {};
      }
    };
    const Tensor whole = attempt(bytes);
    CHECK(whole.defined() == (name != "compressed.fits"));
    for (std::size_t lost = 1; lost <= bytes.size(); lost += 1 + bytes.size() / 150) {
      INFO(lost << " bytes lost");
      // Padding and a table lie behind the image.
      const Tensor rest = attempt(bytes.substr(0, bytes.size() - lost));
      CHECK((!rest.defined() || at::equal(rest.nan_to_num(), whole.nan_to_num())));
    }
    for (std::size_t i = 0; i < bytes.size(); i += i % 80 < 32 ? 1 : 13) {
      if (bytes[i] == ' ' && i % 3 != 0) continue;
      const char original = bytes[i];
      for (const int change : {0x01, 0x80, 0xff}) {
        bytes[i] = static_cast<char>(original ^ change);
        attempt(bytes);
      }
      bytes[i] = original;
    }
  }
  CHECK(refused > 500);
}
