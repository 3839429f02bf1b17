// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "catch.hpp"
#include "data_files.hpp"
#include "files.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/image.hpp"

using namespace tessera;
using test::data_file;

namespace {

/// The formula of tests/data/io/make_files.py as (1, C, H, W): 8-bit or 16-bit integers, not
/// scaled.
Tensor samples(std::int64_t channels, bool wide, std::int64_t height = 5, std::int64_t width = 7) {
  const auto options = at::TensorOptions().dtype(at::kLong);
  const Tensor c = at::arange(channels, options).view({1, -1, 1, 1});
  const Tensor y = at::arange(height, options).view({1, 1, -1, 1});
  const Tensor x = at::arange(width, options).view({1, 1, 1, -1});
  const Tensor value = wide ? 2099 * y + 1237 * x + 4001 * c : 29 * y + 13 * x + 71 * c;
  return value.remainder(wide ? 65536 : 256);
}

Tensor expected(std::int64_t channels, bool wide, std::int64_t height = 5, std::int64_t width = 7) {
  return samples(channels, wide, height, width).to(at::kFloat) / (wide ? 65535 : 255);
}

/// 40 + 2 y + 1.5 x + 20 c, scaled to 0..1: what the JPEG files show.
Tensor smooth(std::int64_t channels = 3) {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  const Tensor c = at::arange(channels, options).view({1, -1, 1, 1});
  const Tensor y = at::arange(40, options).view({1, 1, -1, 1});
  const Tensor x = at::arange(56, options).view({1, 1, 1, -1});
  return (40 + 2 * y + 1.5 * x + 20 * c) / 255;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  return (a.to(at::kDouble) - b).abs().max().item<double>();
}

}  // namespace

TEST_CASE("read_image: PNG of every colour type and depth", "[io][image]") {
  const auto [name, channels, wide] = GENERATE(table<std::string, int, bool>({
      {"grey8.png", 1, false},
      {"grey16.png", 1, true},
      {"grey_alpha8.png", 1, false},
      {"rgb8.png", 3, false},
      {"rgb16.png", 3, true},
      {"rgba16.png", 3, true},
      {"interlaced.png", 3, false},
  }));
  INFO(name);
  const Tensor image = read_image(data_file(name));
  CHECK(image.scalar_type() == at::kFloat);
  CHECK(image.is_contiguous());
  CHECK(at::equal(image, expected(channels, wide)));
}

TEST_CASE("read_image: PNG with a palette, and with one bit", "[io][image]") {
  CHECK(at::equal(read_image(data_file("palette.png")),
                  expected(3, false, 1, 7).expand({1, 3, 5, 7})));
  const Tensor board =
      (samples(1, false).new_zeros({1, 1, 5, 7}) + at::arange(5, at::kLong).view({1, 1, 5, 1}) +
       at::arange(7, at::kLong).view({1, 1, 1, 7}))
          .remainder(2);
  CHECK(at::equal(read_image(data_file("grey1.png")), board.to(at::kFloat)));
}

TEST_CASE("read_image: TIFF strips, tiles, planes, depths and compressions", "[io][image]") {
  for (const std::string name :
       {"strips8.tif", "rgba8.tif", "bigtiff8.tif", "lzw.tif", "packbits.tif"}) {
    INFO(name);
    CHECK(at::equal(read_image(data_file(name)), expected(3, false)));
  }
  CHECK(at::equal(read_image(data_file("strips16_big_endian.tif")), expected(3, true)));
  CHECK(at::equal(read_image(data_file("tiles8.tif")), expected(3, false, 20, 37)));
  CHECK(at::equal(read_image(data_file("tiles_planar16.tif")), expected(3, true, 20, 37)));
  CHECK(at::equal(read_image(data_file("grey_alpha16.tif")), expected(1, true)));
  CHECK(largest_difference(read_image(data_file("white_is_zero.tif")), 1 - expected(1, false)) <
        1e-6);
  CHECK(at::equal(read_image(data_file("palette.tif")),
                  expected(3, true, 1, 7).expand({1, 3, 5, 7})));
  CHECK(largest_difference(read_image(data_file("jpeg.tif")), smooth()) < 0.02);
}

TEST_CASE("read_image: floating TIFF samples come as they are", "[io][image]") {
  const auto value = [](std::int64_t channels) {
    return samples(channels, true).to(at::kFloat) / 1000 - 7;
  };
  CHECK(at::equal(read_image(data_file("planar_float.tif")), value(3)));
  CHECK(at::equal(read_image(data_file("grey_float.tif")), value(1)));
}

TEST_CASE("read_image: JPEG, sequential, progressive and grey", "[io][image]") {
  CHECK(largest_difference(read_image(data_file("smooth.jpg")), smooth()) < 0.015);
  CHECK(largest_difference(read_image(data_file("progressive.jpg")), smooth()) < 0.03);
  CHECK(largest_difference(read_image(data_file("grey.jpg")), smooth(1)) < 0.015);
}

TEST_CASE("read_image turns images upright", "[io][image]") {
  const Tensor stored = read_image(data_file("orientation1.jpg"));
  // What EXIF says of the stored picture: where its first row and first column belong.
  const std::vector<Tensor> upright = {
      stored,
      stored.flip({3}),
      stored.flip({2, 3}),
      stored.flip({2}),
      stored.transpose(2, 3),
      stored.rot90(-1, {2, 3}),
      stored.transpose(2, 3).flip({2, 3}),
      stored.rot90(1, {2, 3}),
  };
  for (std::size_t i = 0; i < upright.size(); ++i) {
    const std::string path = data_file("orientation" + std::to_string(i + 1) + ".jpg");
    INFO(path);
    const Tensor image = read_image(path);
    CHECK(image.is_contiguous());
    CHECK(at::equal(image, upright[i]));
    CHECK(at::equal(read_image(path, {.apply_orientation = false}), stored));
  }
  CHECK(at::equal(read_image(data_file("turned.tif")), expected(3, false).rot90(-1, {2, 3})));
}

TEST_CASE("write_image then read_image: exact but for rounding", "[io][image]") {
  const test::TemporaryFolder folder;
  const int channels = GENERATE(1, 3);
  const Tensor image = 0.5 + 0.5 * test::indexed({1, channels, 33, 41}, 0, at::kDouble);
  const auto [name, type, tolerance] = GENERATE(table<std::string, SampleType, double>({
      {"x.png", SampleType::u8, 0.5001 / 255},
      {"x.png", SampleType::u16, 0.5001 / 65535 + 1e-7},
      {"x.tif", SampleType::u8, 0.5001 / 255},
      {"x.TIFF", SampleType::u16, 0.5001 / 65535 + 1e-7},
      {"x.tiff", SampleType::f32, 1e-7},
  }));
  INFO(name);
  write_image(folder.file(name), image, {.samples = type});
  const Tensor read = read_image(folder.file(name));
  CHECK(largest_difference(read, image) < tolerance);
  // A second pass changes nothing.
  write_image(folder.file("again-" + name), read, {.samples = type});
  CHECK(at::equal(read_image(folder.file("again-" + name)), read));
  CHECK(folder.entry_count() == 2);
}

TEST_CASE("write_image: JPEG quality is the caller's", "[io][image]") {
  const test::TemporaryFolder folder;
  write_image(folder.file("fine.jpg"), smooth(), {.jpeg_quality = 98});
  write_image(folder.file("coarse.jpeg"), smooth(), {.jpeg_quality = 5});
  write_image(folder.file("grey.jpg"), smooth(1));
  CHECK(largest_difference(read_image(folder.file("fine.jpg")), smooth()) < 0.015);
  CHECK(largest_difference(read_image(folder.file("grey.jpg")), smooth(1)) < 0.015);
  CHECK(test::read_bytes(folder.file("coarse.jpeg")).size() <
        test::read_bytes(folder.file("fine.jpg")).size());
}

TEST_CASE("write_image clamps, and writes NaN as black", "[io][image]") {
  const test::TemporaryFolder folder;
  const Tensor image = at::zeros({2, 2});
  image[0][0] = -3;
  image[0][1] = 7;
  image[1][0] = std::numeric_limits<float>::quiet_NaN();
  image[1][1] = std::numeric_limits<float>::infinity();
  const auto samples = GENERATE(SampleType::u8, SampleType::u16);
  write_image(folder.file("x.png"), image, {.samples = samples});
  const Tensor read = read_image(folder.file("x.png"));
  CHECK(read.sizes() == at::IntArrayRef({1, 1, 2, 2}));
  CHECK(read[0][0][0][0].item<float>() == 0);
  CHECK(read[0][0][0][1].item<float>() == 1);
  CHECK(read[0][0][1][0].item<float>() == 0);
  CHECK(read[0][0][1][1].item<float>() == 1);
}

TEST_CASE("write_image takes (C, H, W), half precision and views", "[io][image]") {
  const test::TemporaryFolder folder;
  const Tensor image = expected(3, false);
  write_image(folder.file("x.png"), image[0].to(at::kHalf));
  CHECK(largest_difference(read_image(folder.file("x.png")), image) < 0.01);
  write_image(folder.file("x.png"), image.transpose(2, 3));
  CHECK(at::equal(read_image(folder.file("x.png")), image.transpose(2, 3)));
}

TEST_CASE("write_image refuses what does not fit", "[io][image]") {
  const test::TemporaryFolder folder;
  const Tensor image = expected(3, false);
  CHECK_THROWS_WITH(write_image(folder.file("x.bmp"), image), test::contains("'.bmp'"));
  CHECK_THROWS_WITH(write_image(folder.file("png"), image), test::contains("ends in ''"));
  CHECK_THROWS_WITH(write_image(folder.file("x.jpg"), image, {.samples = SampleType::u16}),
                    test::contains("8-bit"));
  CHECK_THROWS_WITH(write_image(folder.file("x.png"), image, {.samples = SampleType::f32}),
                    test::contains("TIFF"));
  CHECK_THROWS_WITH(write_image(folder.file("x.jpg"), image, {.jpeg_quality = 0}),
                    test::contains("jpeg_quality"));
  CHECK_THROWS_AS(write_image(folder.file("x.png"), at::zeros({2, 3, 4, 4})), error::ShapeMismatch);
  CHECK_THROWS_AS(write_image(folder.file("x.png"), at::zeros({2, 4, 4})), error::ShapeMismatch);
  CHECK_THROWS_AS(write_image(folder.file("x.png"), at::zeros({3, 0, 4})), error::ShapeMismatch);
  CHECK_THROWS_AS(write_image(folder.file("x.png"), samples(3, false)), error::ShapeMismatch);
  CHECK_THROWS_AS(write_image(folder.file("x.png"), Tensor()), error::ShapeMismatch);
  CHECK_THROWS_WITH(write_image(folder.file("x.jpg"), at::zeros({1, 70000})),
                    test::contains("65500"));
  CHECK(folder.entry_count() == 0);
}

TEST_CASE("read_image refuses other formats, CMYK and too many pixels", "[io][image]") {
  CHECK_THROWS_WITH(read_image(data_file("f4_little.npy")),
                    test::contains("f4_little.npy: is not a PNG, JPEG or TIFF"));
  CHECK_THROWS_WITH(read_image(data_file("cmyk.jpg")), test::contains("CMYK"));
  for (const std::string name : {"rgb8.png", "smooth.jpg", "strips8.tif"}) {
    INFO(name);
    CHECK_THROWS_WITH(read_image(data_file(name), {.max_pixels = 34}),
                      test::contains("more than the 34"));
  }
  CHECK(read_image(data_file("rgb8.png"), {.max_pixels = 35}).numel() == 105);
}

TEST_CASE("read_image refuses a decompression bomb before it allocates", "[io][image]") {
  CHECK_THROWS_WITH(read_image(data_file("bomb.png")),
                    test::contains("1073741824 x 1073741824 pixels"));
  const ImageReadOptions any{.max_pixels = std::numeric_limits<std::int64_t>::max()};
  CHECK_THROWS_WITH(read_image(data_file("bomb.png"), any), test::contains("cannot hold"));

  // The size of a JPEG and the width of a TIFF raised.
  const test::TemporaryFolder folder;
  std::string jpeg = test::read_bytes(data_file("grey.jpg"));
  const std::size_t frame = jpeg.find("\xff\xc0");
  REQUIRE(frame != std::string::npos);
  jpeg.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  test::write_bytes(folder.file("bomb.jpg"), jpeg);
  CHECK_THROWS_WITH(read_image(folder.file("bomb.jpg"), any), test::contains("cannot hold"));

  std::string tiff = test::read_bytes(data_file("strips8.tif"));
  const std::size_t width = tiff.find(std::string("\x00\x01\x04\x00\x01\x00\x00\x00\x07", 9));
  REQUIRE(width != std::string::npos);
  tiff.replace(width + 8, 4, "\xff\xff\xff\x0f");
  test::write_bytes(folder.file("bomb.tif"), tiff);
  CHECK_THROWS_WITH(read_image(folder.file("bomb.tif")), test::contains("cannot hold"));
}
