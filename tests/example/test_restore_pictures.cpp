// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/equal.h>

#include <string>

#include "catch.hpp"
#include "files.hpp"
#include "restore/pictures.hpp"
#include "restore/plan.hpp"
#include "restore_workplace.hpp"

using namespace restore;
using tessera::Tensor;

TEST_CASE("restore: volumes are what their files say", "[restore]") {
  const Workplace workplace;
  const Tensor values = at::arange(320, at::kDouble).view({1, 1, 5, 8, 8});
  SECTION("pages are slices, and come back with their type and voxels") {
    const Picture read = read_picture(workplace.file("stack.tif"));
    CHECK(at::equal(read.values.to(at::kDouble), values));
    Picture source;
    source.voxel = tessera::VoxelSize{.depth = 0.3, .height = 0.1, .width = 0.1};
    const Samples samples = GENERATE(Samples::u8, Samples::u16, Samples::f32);
    const double largest = samples == Samples::u8 ? 255 : 319;
    write_picture(workplace.file("o.tif"), values, samples, source);
    const Picture again = read_picture(workplace.file("o.tif"));
    CHECK(again.samples == samples);
    CHECK(at::equal(again.values.to(at::kDouble), values.clamp_max(largest)));
    REQUIRE(again.voxel.has_value());
    CHECK(again.voxel->depth == Approx(0.3));
  }
  SECTION("axes say what is what") {
    const Picture frames = read_picture(workplace.file("stack.tif"), {.axes = "cyx"});
    CHECK(at::equal(frames.values.to(at::kDouble), values.squeeze(1)));
    const Picture last = read_picture(workplace.file("last.npy"), {.axes = "yxc"});
    CHECK(last.values.sizes() == at::IntArrayRef({1, 3, 8, 8}));
    const Picture slices = read_picture(workplace.file("psf3.npy"), {.axes = "zyx"});
    CHECK(slices.values.sizes() == at::IntArrayRef({1, 1, 3, 3, 3}));
  }
  SECTION("the default prior of volumes is one that knows them") {
    const Plan plan = workplace.plan(of_file("stack.tif") +
                                     "operator: {blur: {gaussian: [0.5, 0.3, 0.3]}}\n"
                                     "noise: {level: 1}\nimage: {white: 319}\n");
    CHECK(plan.prior == PriorName::tv);
    CHECK(plan.frame == tessera::Extents({5, 8, 8}));
    CHECK(plan.image == tessera::Extents({1, 1, 9, 12, 12}));
    CHECK(table_of(plan).find("8x8x5, 1 channel, 5 slices") != std::string::npos);
  }
}

TEST_CASE("restore: a picture comes back as it was", "[restore]") {
  const test::TemporaryFolder folder;
  const auto [name, samples, largest] = GENERATE(table<std::string, Samples, double>({
      {"a.png", Samples::u8, 255},
      {"a.png", Samples::u16, 65535},
      {"a.tif", Samples::u8, 255},
      {"a.tif", Samples::u16, 65535},
      {"a.tif", Samples::f32, 1e6},
      {"a.npy", Samples::u8, 255},
      {"a.npy", Samples::f32, 1e6},
      {"a.npy", Samples::f64, 1e9},
  }));
  INFO(name << " " << settings::name_of(samples));
  const Tensor values = (at::arange(105, at::kDouble) * (largest / 104)).round().view({1, 3, 5, 7});
  write_picture(folder.file(name), values, samples);
  const Picture picture = read_picture(folder.file(name), {.spatial = 2});
  CHECK(picture.samples == samples);
  CHECK(at::equal(picture.values.to(at::kDouble), values));
  CHECK(picture.white.value_or(0) == (samples <= Samples::u16 ? largest : 0));
}

TEST_CASE("restore: integers are clamped, not wrapped", "[restore]") {
  const test::TemporaryFolder folder;
  const Tensor values = at::arange(4, at::kDouble).view({1, 1, 2, 2}) * 200 - 100;
  for (const char* name : {"a.png", "a.npy"}) {
    write_picture(folder.file(name), values, Samples::u8);
    const Tensor read = read_picture(folder.file(name)).values;
    CHECK(at::equal(read, at::clamp(values, 0, 255).to(at::kFloat)));
  }
}
