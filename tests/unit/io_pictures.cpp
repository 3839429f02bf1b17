// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "catch.hpp"
#include "files.hpp"
#include "picture_files.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/image.hpp"

// Several pictures in a file, orientations, depths and channels.

using namespace tessera;
using test::TiffPage;

namespace {

/// Every sample another value: (H, W, C).
Tensor counted(std::int64_t height, std::int64_t width, std::int64_t channels, at::ScalarType type,
               std::int64_t first = 0) {
  const auto options = at::TensorOptions().dtype(at::kLong);
  const Tensor values = at::arange(first, first + height * width * channels, options);
  return values.remainder(251).view({height, width, channels}).to(type);
}

/// What read_image() makes of integer samples.
Tensor as_image(const Tensor& samples) {
  const Tensor image = samples.to(at::kLong).to(at::kFloat).permute({2, 0, 1}).unsqueeze(0);
  return samples.scalar_type() == at::kByte     ? image / 255
         : samples.scalar_type() == at::kUInt16 ? image / 65535
                                                : image;
}

/// A picture as it is stored if the tag says `orientation`, by the definition of the tag: where the
/// first row and the first column of the stored picture belong.
Tensor stored_as(const Tensor& upright, int orientation) {
  const bool rows_are_columns = orientation >= 5;
  Tensor stored = rows_are_columns ? upright.transpose(2, 3) : upright;
  const bool first_row_last = orientation == 3 || orientation == 4;      // row 0 is the bottom
  const bool first_row_right = orientation == 6 || orientation == 7;     // row 0 is the right side
  const bool first_column_right = orientation == 2 || orientation == 3;  // column 0: right side
  const bool first_column_last = orientation == 7 || orientation == 8;   // column 0: bottom
  if (first_row_last || first_row_right) stored = stored.flip({2});
  if (first_column_right || first_column_last) stored = stored.flip({3});
  return stored.contiguous();
}

struct File {
  test::TemporaryFolder folder;
  std::string path = folder.file("x");
  Tensor read(const std::string& bytes, const ImageReadOptions& options = {}) {
    test::write_bytes(path, bytes);
    return read_image(path, options, &info);
  }
  ImageInfo info;
};

std::string data_bytes(const std::string& name) {
  return test::read_bytes(std::string(TESSERA_TEST_DATA) + "/io/" + name);
}

}  // namespace

TEST_CASE("read_image: of pages of one size it takes none by itself", "[io][pictures]") {
  File file;
  std::vector<TiffPage> pages;
  for (int i = 0; i < 3; ++i) pages.push_back({counted(6, 8, 1, at::kByte, 40 * i)});
  const std::string bytes = test::tiff_file(pages);
  CHECK_THROWS_WITH(file.read(bytes),
                    test::contains("holds 3 pictures, 3 of them with 8 x 6 pixels") &&
                        test::contains("the option page, 1 to 3"));
  CHECK_THROWS_AS(file.read(bytes), error::Io);
  for (std::int64_t page = 1; page <= 3; ++page) {
    const Tensor image = file.read(bytes, {.page = page});
    CHECK(at::equal(image, as_image(pages[static_cast<std::size_t>(page - 1)].samples)));
    CHECK(file.info.page == page);
    CHECK(file.info.pages == 3);
  }
  CHECK(image_notes(file.info).front() == "holds 3 pictures, of which number 3 is taken");
  CHECK_THROWS_WITH(file.read(bytes, {.page = 4}), test::contains("3 pictures, and page 4"));
  CHECK_THROWS_AS(file.read(bytes, {.page = 0}), error::InvalidArgument);
  CHECK_THROWS_WITH(file.read(test::tiff_file({pages[0]}), {.page = 2}),
                    test::contains("holds one picture, and page 2"));
}

TEST_CASE("read_image passes over thumbnails, masks and smaller versions", "[io][pictures]") {
  File file;
  const TiffPage whole{counted(6, 8, 1, at::kByte)};
  TiffPage thumbnail{counted(3, 4, 1, at::kByte)}, mask = whole,
                                                   smaller{counted(5, 8, 1, at::kByte)};
  thumbnail.kind = 1;
  mask.kind = 4;
  const std::vector<std::vector<TiffPage>> files = {
      {thumbnail, whole}, {whole, thumbnail}, {mask, whole, thumbnail}, {smaller, whole}};
  const std::vector<std::int64_t> taken = {2, 1, 2, 2};
  for (std::size_t i = 0; i < files.size(); ++i) {
    CHECK(at::equal(file.read(test::tiff_file(files[i])), as_image(whole.samples)));
    CHECK(file.info.page == taken[i]);
    CHECK(file.info.pages == static_cast<std::int64_t>(files[i].size()));
  }
  CHECK(at::equal(file.read(test::tiff_file({thumbnail, whole}), {.page = 1}),
                  as_image(thumbnail.samples)));
  // Nothing else is there.
  CHECK(at::equal(file.read(test::tiff_file({thumbnail})), as_image(thumbnail.samples)));
  CHECK(image_notes(file.info).empty());
}

TEST_CASE("read_image: pages that form a ring, overlap or are not there", "[io][pictures]") {
  File file;
  const TiffPage page{counted(6, 8, 1, at::kByte)};
  std::string ring = test::tiff_file({page, page});
  const std::string first = ring.substr(4, 4);
  const std::string lost = test::little(ring.size() + 100, 4);
  ring.replace(ring.size() - 4, 4, first);
  CHECK_THROWS_WITH(file.read(ring), test::contains("form a ring"));
  ring.replace(ring.size() - 4, 4, lost);
  CHECK_THROWS_WITH(file.read(ring), test::contains("page 3 lies outside the file"));
  // Directories of 4096 entries, each beginning 12 bytes after the one before.
  std::string many = "II" + test::little(42, 2) + test::little(8, 4);
  for (int i = 0; i < 20'000; ++i) {
    many += test::little(4096, 2) + test::little(1, 2) + test::little(1, 4) +
            test::little(static_cast<std::uint64_t>(8 + 12 * (i + 1)), 4);
  }
  CHECK_THROWS_AS(file.read(many), error::Io);
}

TEST_CASE("read_image: of an animated PNG the first picture, if it is asked for",
          "[io][pictures]") {
  File file;
  write_image(file.folder.file("x.png"), at::rand({1, 1, 6, 8}));
  const std::string still = test::read_bytes(file.folder.file("x.png"));
  const Tensor picture = file.read(still);
  const std::string control = test::png_chunk("acTL", test::big(2, 4) + test::big(0, 4));
  const std::string frame = test::png_chunk("fcTL", std::string(26, '\0'));
  const auto animated = [&](bool default_is_frame) {
    std::string bytes = test::with_chunk(still, frame, true);
    bytes = test::with_chunk(bytes, frame, !default_is_frame);
    return test::with_chunk(bytes, control);
  };
  for (const bool default_is_frame : {true, false}) {
    const std::string bytes = animated(default_is_frame);
    const std::int64_t pictures = default_is_frame ? 2 : 3;
    CHECK_THROWS_WITH(file.read(bytes), test::contains("the option page"));
    CHECK(at::equal(file.read(bytes, {.page = 1}), picture));
    CHECK(file.info.pages == pictures);
    CHECK_THROWS_WITH(file.read(bytes, {.page = 2}), test::contains("only page 1 can be read"));
  }
  // Frames without an animation are no pictures, and one frame is one picture.
  CHECK(at::equal(file.read(test::with_chunk(still, frame)), picture));
  CHECK(at::equal(file.read(test::with_chunk(test::with_chunk(still, frame), control)), picture));
  std::string damaged = animated(true);
  damaged[33 + 9] ^= 1;
  CHECK_THROWS_WITH(file.read(damaged), test::contains("checksum"));
}

TEST_CASE("read_image: several JPEG pictures with an index", "[io][pictures]") {
  File file;
  const std::string left = data_bytes("smooth.jpg"), right = data_bytes("progressive.jpg");
  test::write_bytes(file.path, left);
  const Tensor first = read_image(file.path);
  test::write_bytes(file.path, right);
  const Tensor second = read_image(file.path);
  write_image(file.folder.file("small.jpg"), at::rand({1, 3, 16, 24}));
  const std::string small = test::read_bytes(file.folder.file("small.jpg"));

  const std::string pair = test::mpo_file({left, right}, {0x020002});
  CHECK_THROWS_WITH(file.read(pair), test::contains("holds 2 pictures, 2 of them with 56 x 40"));
  CHECK(at::equal(file.read(pair, {.page = 1}), first));
  CHECK(at::equal(file.read(pair, {.page = 2}), second));
  CHECK(file.info.pages == 2);

  // A thumbnail of any size, a smaller picture, and one that the file has lost.
  CHECK(at::equal(file.read(test::mpo_file({left, right}, {0x010002})), first));
  CHECK(at::equal(file.read(test::mpo_file({small, left}, {0})), first));
  CHECK(file.info.page == 2);
  CHECK(at::equal(file.read(pair.substr(0, pair.size() - right.size())), first));
  CHECK_THROWS_WITH(file.read(pair.substr(0, pair.size() - right.size()), {.page = 2}),
                    test::contains("page 2 is missing"));
}

TEST_CASE("read_image: the eight orientations, in PNG and TIFF", "[io][pictures]") {
  File file;
  const Tensor samples = counted(5, 7, 3, at::kByte);
  const Tensor upright = as_image(samples);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    INFO("orientation " << orientation);
    const Tensor stored = stored_as(upright, orientation);
    const std::string png_path = file.folder.file("x.png");
    write_image(png_path, stored);
    const std::string png = test::read_bytes(png_path);
    for (const bool last : {false, true}) {
      for (const bool little : {false, true}) {
        const std::string chunk = test::png_chunk("eXIf", test::exif_data(orientation, little));
        const std::string bytes = test::with_chunk(png, chunk, last);
        CHECK(at::equal(file.read(bytes), upright));
        CHECK(file.info.orientation == orientation);
        CHECK(at::equal(file.read(bytes, {.apply_orientation = false}), stored));
      }
    }
    TiffPage page{
        stored_as(samples.permute({2, 0, 1}).unsqueeze(0), orientation)[0].permute({1, 2, 0})};
    page.orientation = orientation;
    page.photometric = 2;
    CHECK(at::equal(file.read(test::tiff_file({page})), upright));
    CHECK(file.info.orientation == orientation);
    CHECK(at::equal(file.read(test::tiff_file({page}), {.apply_orientation = false}), stored));
  }
  // Damaged EXIF data turn nothing.
  write_image(file.folder.file("x.png"), upright);
  const std::string png = test::read_bytes(file.folder.file("x.png"));
  for (const std::string& exif :
       {std::string("II"), test::exif_data(9, true), std::string(8, '\xff')}) {
    CHECK(at::equal(file.read(test::with_chunk(png, test::png_chunk("eXIf", exif))), upright));
  }
}

TEST_CASE("read_image: samples of a TIFF pixel are channels, alpha is not", "[io][pictures]") {
  File file;
  const auto type = GENERATE(at::kByte, at::kUInt16, at::kFloat);
  const bool planar = GENERATE(false, true);
  const auto read = [&](std::int64_t samples, int photometric, const std::vector<int>& extra,
                        std::int64_t channels) {
    INFO(samples << " samples, photometric " << photometric);
    TiffPage page{counted(5, 7, samples, at::kLong).to(type)};
    page.planar = planar;
    page.photometric = photometric;
    page.extra = extra;
    const Tensor image = file.read(test::tiff_file({page}));
    CHECK(at::equal(image, as_image(page.samples).slice(1, 0, channels)));
    CHECK(file.info.alpha_dropped == (channels < samples));
  };
  read(5, 1, {0, 0, 0, 0}, 5);
  read(5, 1, {}, 5);  // nothing is said of the others
  read(2, 1, {}, 2);
  read(2, 1, {2}, 1);  // grey and alpha
  read(2, 1, {1}, 1);
  read(4, 2, {2}, 3);  // RGB and alpha
  read(4, 2, {0}, 4);  // RGB and infrared
  read(5, 2, {0, 2}, 4);
  read(5, 2, {1, 2}, 3);

  TiffPage page{counted(5, 7, 5, at::kLong).to(type)};
  page.photometric = 2;
  page.extra = {2, 0};
  CHECK_THROWS_WITH(file.read(test::tiff_file({page})), test::contains("alpha among its channels"));
}

TEST_CASE("write_image: TIFF holds any number of channels", "[io][pictures]") {
  File file;
  const auto type = GENERATE(SampleType::u8, SampleType::u16, SampleType::f32);
  for (const std::int64_t channels : {1, 2, 3, 4, 5, 11}) {
    INFO(channels);
    const Tensor image = as_image(counted(33, 21, channels, at::kByte));
    const std::string path = file.folder.file("x.tif");
    write_image(path, image, {.samples = type});
    const Tensor read = read_image(path, {}, &file.info);
    CHECK(read.sizes() == image.sizes());
    CHECK(test::relative_error(read, image) < 1e-6);
    CHECK(file.info.samples == type);
    CHECK(!file.info.alpha_dropped);
  }
  CHECK_THROWS_WITH(write_image(file.folder.file("x.png"), at::zeros({1, 4, 5, 5})),
                    test::contains("1 or 3 (TIFF"));
  CHECK_THROWS_WITH(write_image(file.folder.file("x.tif"), at::zeros({1, 513, 2, 2})),
                    test::contains("1 to 512"));
}

TEST_CASE("read_image tells depth and range, image_notes() what is odd about them",
          "[io][pictures]") {
  File file;
  const auto notes = [&](const std::string& name, const Tensor& image, SampleType type) {
    const std::string path = file.folder.file(name);
    write_image(path, image, {.samples = type});
    CHECK(at::equal(read_image(path), read_image(path, {}, &file.info)));
    return image_notes(file.info);
  };
  const Tensor ramp = at::arange(64, at::kDouble).view({1, 1, 8, 8}) / 63;
  CHECK(notes("x.png", ramp, SampleType::u8).empty());
  CHECK(file.info.bits == 8);
  CHECK(file.info.samples == SampleType::u8);
  CHECK(notes("x.png", ramp, SampleType::u16).empty());
  CHECK(file.info.bits == 16);
  CHECK(file.info.samples == SampleType::u16);
  CHECK(file.info.smallest == 0);
  CHECK(file.info.largest == 1);
  for (const std::string name : {"x.png", "x.tif"}) {
    const auto said = notes(name, ramp * (4095.0 / 65535), SampleType::u16);
    REQUIRE(said.size() == 1);
    CHECK(said[0] == "has 12 bits in 16-bit samples, its largest value is 0.06249 of 1");
  }
  CHECK(notes("x.tif", ramp, SampleType::f32).empty());
  CHECK(file.info.bits == 32);
  CHECK(notes("x.tif", 4000 * ramp - 1, SampleType::f32).at(0) ==
        "has values from -1 to 3999, intensities lie between 0 and 1");
  Tensor wrong = ramp.clone();
  wrong[0][0][3][2] = std::numeric_limits<double>::quiet_NaN();
  CHECK(notes("y.tif", at::full({1, 1, 2, 2}, std::numeric_limits<double>::infinity()),
              SampleType::f32)
            .at(0) == "holds values that are not finite");
  write_image(file.folder.file("z.tif"), wrong, {.samples = SampleType::f32});
  const Tensor read = read_image(file.folder.file("z.tif"), {}, &file.info);
  CHECK(std::isnan(read[0][0][3][2].item<double>()));  // a reader is no judge
  CHECK(image_notes(file.info).at(0) == "holds values that are not finite");
}

TEST_CASE("read_image: hundreds of thousands of markers cost no more than their bytes",
          "[io][pictures]") {
  File file;
  std::string bytes = data_bytes("orientation6.jpg");
  const Tensor expected = file.read(bytes);
  std::string markers;
  for (int i = 0; i < 400'000; ++i) markers += std::string("\xff\xe1\x00\x02", 4);
  CHECK(at::equal(file.read(bytes.insert(2, markers)), expected));
  CHECK(file.info.orientation == 6);
}

TEST_CASE("read_image: a window is that part of the picture, however it is stored",
          "[io][pictures]") {
  for (const char* name :
       {"strips8.tif", "strips16_big_endian.tif", "tiles8.tif", "tiles_planar16.tif",
        "bigtiff8.tif", "palette.tif", "rgba8.tif", "grey_alpha16.tif", "grey_float.tif",
        "planar_float.tif", "white_is_zero.tif", "turned.tif", "jpeg.tif", "rgb8.png",
        "orientation6.jpg"}) {
    INFO(name);
    const std::string path = std::string(TESSERA_TEST_DATA) + "/io/" + name;
    ImageInfo info;
    const Tensor whole = read_image(path, {}, &info);
    const bool is_tiff = path.ends_with(".tif");
    ImageInfo told;
    CHECK(read_tiff_shape(path, {}, &told) == (is_tiff ? whole.sizes().vec() : Extents()));
    if (is_tiff) {
      CHECK(told.samples == info.samples);
      CHECK(told.bits == info.bits);
      CHECK(told.alpha_dropped == info.alpha_dropped);
    }
    const std::int64_t height = whole.size(2), width = whole.size(3);
    for (const Box& window :
         {Box{{{0, height}, {0, width}}}, Box{{{1, height - 2}, {3, width - 1}}},
          Box{{{height / 2, height / 2 + 1}, {0, 2}}}}) {
      CHECK(at::equal(read_image(path, {.window = window}),
                      part_of(whole, whole_box({height, width}), window)));
    }
    CHECK_THROWS_AS(read_image(path, {.window = {{{0, height + 1}, {0, width}}}}),
                    error::InvalidArgument);
  }
  File file;
  const Tensor samples = counted(5, 7, 1, at::kByte);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    TiffPage page{
        stored_as(samples.permute({2, 0, 1}).unsqueeze(0), orientation)[0].permute({1, 2, 0})};
    page.orientation = orientation;
    const Box window{{{1, 3}, {2, 7}}};
    CHECK(at::equal(file.read(test::tiff_file({page}), {.window = window}),
                    as_image(samples).narrow(2, 1, 2).narrow(3, 2, 5)));
    CHECK(read_tiff_shape(file.path) == Extents{1, 1, 5, 7});
    const Extents stored = {1, 1, page.samples.size(0), page.samples.size(1)};
    CHECK(read_tiff_shape(file.path, {.apply_orientation = false}) == stored);
  }
}

TEST_CASE("read_image: what lies outside of a window is not decoded", "[io][pictures]") {
  File file;
  const std::string path = file.folder.file("x.tif");
  const Tensor image = at::rand({1, 1, 1600, 300});
  write_image(path, image, {.samples = SampleType::f32});
  std::string bytes = test::read_bytes(path);
  const auto quarter = static_cast<std::ptrdiff_t>(bytes.size() / 4);
  std::fill(bytes.begin() + quarter, bytes.begin() + 2 * quarter, '\0');
  CHECK_THROWS_AS(file.read(bytes), error::Io);
  const Box last{{{1590, 1600}, {0, 300}}};
  CHECK(
      at::equal(file.read(bytes, {.max_pixels = 3000, .window = last}), image.narrow(2, 1590, 10)));
  CHECK_THROWS_WITH(file.read(bytes, {.max_pixels = 2999, .window = last}),
                    test::contains("has 300 x 10 pixels"));
  CHECK(read_tiff_shape(file.path) == Extents{1, 1, 1600, 300});
}
