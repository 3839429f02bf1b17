// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "data_files.hpp"
#include "files.hpp"
#include "picture_files.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/tiff_stack.hpp"

using namespace tessera;
using test::counting;
using test::data_file;
using test::part;

namespace {

void replace(std::string& text, const std::string& old, const std::string& by) {
  const std::size_t at = text.find(old);
  REQUIRE(at != std::string::npos);
  REQUIRE(old.size() == by.size());
  text.replace(at, old.size(), by);
}

}  // namespace

TEST_CASE("read_tiff_stack reads every type as it is", "[io][stack]") {
  const auto [name, stored, type] = GENERATE(table<std::string, at::ScalarType, at::ScalarType>({
      {"stack_u1.tif", at::kByte, at::kFloat},
      {"stack_i1.tif", at::kChar, at::kFloat},
      {"stack_u2.tif", at::kUInt16, at::kFloat},
      {"stack_i2.tif", at::kShort, at::kFloat},
      {"stack_u4.tif", at::kUInt32, at::kDouble},
      {"stack_i4.tif", at::kInt, at::kDouble},
      {"stack_f4.tif", at::kFloat, at::kFloat},
      {"stack_f8.tif", at::kDouble, at::kDouble},
      {"stack_big.tif", at::kUInt16, at::kFloat},
  }));
  INFO(name);
  const TiffStack stack = read_tiff_stack(data_file(name));
  CHECK(stack.stored == stored);
  CHECK(stack.values.scalar_type() == type);
  CHECK(at::equal(stack.values, counting({1, 1, 3, 4, 5}, type)));
  CHECK(stack.smallest == 0);
  CHECK(stack.largest == 59);
  CHECK(!stack.voxel);
}

TEST_CASE("read_tiff_stack reads tiles, samples and planar samples", "[io][stack]") {
  CHECK(
      at::equal(read_tiff_stack(data_file("stack_tiles.tif")).values, counting({1, 1, 2, 20, 37})));
  CHECK(at::equal(read_tiff_stack(data_file("stack_rgb.tif")).values,
                  counting({1, 2, 4, 5, 3}).permute({0, 4, 1, 2, 3})));
  CHECK(at::equal(read_tiff_stack(data_file("stack_planar.tif")).values,
                  counting({1, 2, 3, 4, 5}).transpose(1, 2)));
}

TEST_CASE("read_tiff_stack places pages as ImageJ and OME-XML say", "[io][stack]") {
  const auto [name, expected] = GENERATE(table<std::string, Tensor>({
      {"stack_imagej.tif", counting({2, 3, 2, 4, 5}).transpose(1, 2)},
      {"stack_ome_tcz.tif", counting({2, 2, 3, 4, 5})},
      {"stack_ome_ctz.tif", counting({2, 2, 3, 4, 5}).transpose(0, 1)},
      {"stack_ome_zct.tif", counting({3, 2, 2, 4, 5}).permute({2, 1, 0, 3, 4})},
  }));
  INFO(name);
  const TiffStack stack = read_tiff_stack(data_file(name));
  CHECK(at::equal(stack.values, expected));
  REQUIRE(stack.voxel);
  CHECK(stack.voxel->depth == 0.75);
  CHECK(stack.voxel->height == 0.5);
  CHECK(stack.voxel->width == 0.25);
  CHECK(stack.voxel->unit == "um");
}

TEST_CASE("read_tiff_stack reads windows", "[io][stack]") {
  const auto [name, window] = GENERATE(table<std::string, Box>({
      {"stack_tiles.tif", {{{0, 1}, {0, 1}, {1, 2}, {15, 17}, {3, 33}}}},
      {"stack_tiles.tif", {{{0, 1}, {0, 1}, {0, 2}, {17, 20}, {36, 37}}}},
      {"stack_rgb.tif", {{{0, 1}, {1, 3}, {1, 2}, {2, 4}, {1, 4}}}},
      {"stack_planar.tif", {{{0, 1}, {2, 3}, {0, 2}, {1, 2}, {0, 5}}}},
      {"stack_imagej.tif", {{{1, 2}, {1, 2}, {1, 3}, {0, 3}, {4, 5}}}},
      {"stack_ome_ctz.tif", {{{1, 2}, {0, 2}, {2, 3}, {3, 4}, {2, 4}}}},
  }));
  INFO(name);
  const Tensor whole = read_tiff_stack(data_file(name)).values;
  const TiffStack stack = read_tiff_stack(data_file(name), {.window = window});
  CHECK(at::equal(stack.values, part(whole, window)));
  CHECK(stack.largest == part(whole, window).max().item<double>());
  CHECK_THROWS_AS(read_tiff_stack(data_file(name),
                                  {.window = {{{0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}}}}),
                  error::InvalidArgument);
  CHECK_THROWS_AS(
      read_tiff_stack(data_file(name), {.window = {{{0, 1}, {0, 1}, {0, 1}, {0, 1}, {30, 38}}}}),
      error::InvalidArgument);
}

TEST_CASE("read_tiff_stack refuses pages that differ, with their numbers", "[io][stack]") {
  CHECK_THROWS_WITH(read_tiff_stack(data_file("stack_differs.tif")),
                    test::contains("stack_differs.tif: TIFF: page 3 has 5 x 4 pixels of 1 unsigned "
                                   "samples with 16 bits") &&
                        test::contains("with 8 bits as page 1"));
  // Those that are not asked for do not matter.
  CHECK(read_tiff_stack(data_file("stack_differs.tif"),
                        {.window = {{{0, 1}, {0, 1}, {0, 2}, {0, 4}, {0, 5}}}})
            .values.size(2) == 2);
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.tif");
  const test::TiffPage page{counting({4, 5, 1}, at::kByte)};
  test::TiffPage smaller{counting({4, 4, 1}, at::kByte)};
  test::write_bytes(path, test::tiff_file({page, page, smaller}));
  CHECK_THROWS_WITH(read_tiff_stack(path), test::contains("page 3 has 4 x 4 pixels, expected 5 x 4 "
                                                          "as page 1"));
  smaller.kind = 1;  // a smaller version
  test::write_bytes(path, test::tiff_file({smaller, page, page}));
  CHECK(read_tiff_stack(path).values.sizes() == at::IntArrayRef({1, 1, 2, 4, 5}));
}

TEST_CASE("read_tiff_stack refuses axes that do not fit, and too large a stack", "[io][stack]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.tif");
  const auto [name, old, by, cause] =
      GENERATE(table<std::string, std::string, std::string, std::string>({
          {"stack_imagej.tif", "slices=3", "slices=4", "12 pages, expected those of 2 frames"},
          {"stack_imagej.tif", "channels=2", "channels=0", "12 pages, expected those of 2 frames"},
          {"stack_ome_tcz.tif", "SizeZ=\"3\"", "SizeZ=\"4\"", "12 pages of 1 samples"},
          {"stack_ome_tcz.tif", "SizeT=\"2\"", "SizeT=\"x\"", "SizeT 'x', expected a positive"},
          {"stack_ome_tcz.tif", "\"XYZCT\"", "\"ZXYCT\"", "DimensionOrder 'ZXYCT'"},
          {"stack_ome_tcz.tif", "\"XYZCT\"", "\"XYZZT\"", "DimensionOrder 'XYZZT'"},
          {"stack_ome_tcz.tif", "IFD=\"0\"", "IFD=\"1\"", "pages or planes that are not there"},
          {"stack_ome_tcz.tif", "PlaneCount=\"12\"", "PlaneCount=\"11\"", "another file"},
          {"stack_ome_tcz.tif", "</OME>", "<Image", "a tag that does not end"},
      }));
  INFO(by);
  std::string bytes = test::read_bytes(data_file(name));
  replace(bytes, old, by);
  test::write_bytes(path, bytes);
  CHECK_THROWS_WITH(read_tiff_stack(path), test::contains(path) && test::contains(cause));
  CHECK_THROWS_AS(read_tiff_stack(path), error::Io);
  CHECK_THROWS_WITH(read_tiff_stack(data_file(name), {.max_values = 239}),
                    test::contains("at most 239 values"));
  CHECK_THROWS_WITH(read_tiff_stack(data_file("rgb8.png")), test::contains("is not a TIFF file"));
}

TEST_CASE("write_tiff_stack, then read_tiff_stack, gives the same stack", "[io][stack]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.tif");
  const auto samples = GENERATE(SampleType::u8, SampleType::u16, SampleType::f32);
  const std::vector<std::int64_t> shape =
      GENERATE(std::vector<std::int64_t>{1, 1, 3, 4, 5}, std::vector<std::int64_t>{2, 3, 2, 3, 7},
               std::vector<std::int64_t>{1, 1, 1, 1, 1}, std::vector<std::int64_t>{3, 4, 5});
  Tensor written = counting(shape);
  if (samples == SampleType::f32) written = test::indexed(shape, 0, at::kFloat) * 1e30;
  const VoxelSize voxel{0.3, 0.125, 0.25, "um"};
  write_tiff_stack(path, written, {.samples = samples, .voxel = voxel});
  const TiffStack stack = read_tiff_stack(path);
  CHECK(stack.stored == (samples == SampleType::u8    ? at::kByte
                         : samples == SampleType::u16 ? at::kUInt16
                                                      : at::kFloat));
  CHECK(at::equal(stack.values, shape.size() == 3 ? written.view({1, 1, 3, 4, 5}) : written));
  REQUIRE(stack.voxel);
  CHECK(stack.voxel->depth == 0.3);
  CHECK(stack.voxel->height == 0.125);
  CHECK(stack.voxel->width == 0.25);
  CHECK(folder.entry_count() == 1);
  write_tiff_stack(path, written.to(at::kDouble), {.samples = samples});
  CHECK(!read_tiff_stack(path).voxel);
}

TEST_CASE("write_tiff_stack refuses what would be lost", "[io][stack]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.tif");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double value : {-1.0, 256.0, nan}) {
    const Tensor stack = at::full({2, 3, 4}, value, at::TensorOptions().dtype(at::kDouble));
    CHECK_THROWS_AS(write_tiff_stack(path, stack, {.samples = SampleType::u8}),
                    error::InvalidArgument);
    write_tiff_stack(path, stack);
    CHECK(read_tiff_stack(path).values.flatten()[0].isnan().item<bool>() == std::isnan(value));
  }
  CHECK_THROWS_AS(write_tiff_stack(path, counting({3, 4})), error::ShapeMismatch);
  CHECK_THROWS_AS(write_tiff_stack(path, Tensor()), error::ShapeMismatch);
  CHECK_THROWS_AS(write_tiff_stack(path, counting({2, 3, 4}), {.voxel = VoxelSize{0, 1, 1, "um"}}),
                  error::InvalidArgument);
  CHECK_THROWS_AS(write_tiff_stack(folder.file("none/x.tif"), counting({2, 3, 4})), error::Io);
}

TEST_CASE("A damaged stack is read or refused, a cut one refused", "[io][stack][damage]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.tif");
  std::size_t refused = 0;
  for (const std::string name : {"stack_u2.tif", "stack_tiles.tif", "stack_planar.tif",
                                 "stack_imagej.tif", "stack_ome_zct.tif", "stack_big.tif"}) {
    INFO(name);
    const Tensor whole = read_tiff_stack(data_file(name)).values;
    std::string bytes = test::read_bytes(data_file(name));
    const auto attempt = [&](const std::string& changed) -> Tensor {
      test::write_bytes(path, changed);
      try {
        return read_tiff_stack(path, {.max_values = 1 << 16}).values;
      } catch (const error::Io& e) {
        CHECK_THAT(e.what(), test::contains(path));
        ++refused;
        return {};
      }
    };
    for (std::size_t lost = 1; lost <= bytes.size(); lost += 1 + bytes.size() / 150) {
      INFO(lost << " bytes lost");
      const Tensor rest = attempt(bytes.substr(0, bytes.size() - lost));
      CHECK((!rest.defined() || at::equal(rest, whole)));
    }
    for (std::size_t i = 0; i < bytes.size(); i += 1 + bytes.size() / 300) {
      const char original = bytes[i];
      for (const int change : {0x01, 0x80, 0xff}) {
        INFO(i << " ^ " << change);
        bytes[i] = static_cast<char>(original ^ change);
        attempt(bytes);
      }
      bytes[i] = original;
    }
  }
  CHECK(refused > 1000);
}
