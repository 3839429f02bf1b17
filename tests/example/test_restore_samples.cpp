// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "files.hpp"
#include "restore/inputs.hpp"
#include "restore/pictures.hpp"
#include "restore/run.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/tomography/tomography.hpp"
#ifdef TESSERA_TEST_FITS
#include "tessera/io/fits.hpp"
#endif
#ifdef TESSERA_TEST_HDF5
#include "tessera/io/hdf5.hpp"
#endif

// Samples of arrays: a result has those of what was measured.
using namespace restore;
using tessera::Tensor;

namespace {

/// Arrays of files that this was built with.
std::vector<std::string> array_endings() {
  std::vector<std::string> endings = {".npy"};
#ifdef TESSERA_TEST_FITS
  endings.emplace_back(".fits");
#endif
#ifdef TESSERA_TEST_HDF5
  endings.emplace_back(".h5");
#endif
  return endings;
}

void write_array(const std::string& path, const Tensor& array) {
#ifdef TESSERA_TEST_FITS
  if (path.ends_with(".fits")) return tessera::write_fits(path, array);
#endif
#ifdef TESSERA_TEST_HDF5
  if (path.ends_with(".h5")) return tessera::write_hdf5(path, {{"image", array}});
#endif
  tessera::write_npy(path, array);
}

/// What the library finds in a file: of FITS the type of the stored integers.
at::ScalarType type_in(const std::string& path) {
#ifdef TESSERA_TEST_FITS
  if (path.ends_with(".fits")) return tessera::read_fits(path).stored;
#endif
#ifdef TESSERA_TEST_HDF5
  if (path.ends_with(".h5")) return tessera::read_hdf5(path, "image").scalar_type();
#endif
  return tessera::read_npy(path).scalar_type();
}

/// A square on a ground, with a little noise of whole numbers.
Tensor noisy_square(double ground, double square, double step) {
  Tensor image = at::zeros({12, 14}, at::kDouble) + ground;
  image.slice(0, 3, 9).slice(1, 4, 11).fill_(square);
  return image + step * at::arange(12 * 14, at::kDouble).mul(7).remainder(5).sub(2).view({12, 14});
}

/// Denoises m<ending> to `output` as `rest` says; the exit code.
int restored(const test::TemporaryFolder& folder, const std::string& ending,
             const std::string& output, const std::string& rest = "") {
  test::write_bytes(folder.file("c.yml"), "measurements: [m" + ending + "]\noutput: " + output +
                                              "\nprior: {name: tv, weight: 4}\n"
                                              "solver: {iterations: 20}\n" +
                                              rest);
  return run({.config = folder.file("c.yml"), .threads = 1, .quiet = true},
             tessera::self_communicator());
}

/// Of the plan of that file: what it tells of `what`.
std::string told_of(const test::TemporaryFolder& folder, const std::string& what) {
  const Inputs inputs = read_inputs({.config = folder.file("c.yml")}, tessera::self_communicator());
  for (const PlanRow& row : inputs.plan.rows) {
    if (row.what == what) return row.value + "; " + row.reason;
  }
  return "nothing";
}

}  // namespace

TEST_CASE("restore samples: integers of 8 and 16 bits are known as such", "[restore]") {
  const auto [type, samples, white] = GENERATE(table<at::ScalarType, Samples, double>({
      {at::kByte, Samples::u8, 255},
      {at::kUInt16, Samples::u16, 65535},
      {at::kShort, Samples::i16, 0},
      {at::kInt, Samples::f64, 0},
      {at::kFloat, Samples::f32, 0},
      {at::kDouble, Samples::f64, 0},
  }));
  const test::TemporaryFolder folder;
  const Tensor numbers = 3 * at::arange(48, at::kDouble).view({6, 8});
  for (const std::string& ending : array_endings()) {
    INFO(ending << ": " << c10::toString(type));
    const std::string path = folder.file("m" + ending);
    write_array(path, numbers.to(type));
    const Picture picture = read_picture(path);
    CHECK(picture.samples == samples);
    CHECK(picture.white.value_or(0) == white);
    CHECK(at::equal(picture.values.to(at::kDouble), numbers.view({1, 1, 6, 8})));
    if (ending == ".fits") continue;
    const Picture part = read_window(path, {}, {{{1, 4}, {2, 8}}});
    CHECK(part.samples == samples);
    CHECK(part.white == picture.white);
    CHECK(at::equal(part.values, picture.values.slice(2, 1, 4).slice(3, 2, 8)));
    CHECK(outline_of_picture(path).samples == samples);
  }
}

TEST_CASE("restore samples: int8 is read as float32, and unknown types are one sentence",
          "[restore]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("m.npy");
  tessera::write_npy(path, at::arange(48, at::kDouble).sub(20).view({6, 8}).to(at::kChar));
  CHECK(read_picture(path).samples == Samples::f32);
  std::string bytes = test::read_bytes(path);
  bytes.replace(bytes.find("|i1"), 3, "<u4");
  test::write_bytes(path, bytes);
  CHECK_THROWS_WITH(read_picture(path), test::contains(path) && test::contains("'<u4'"));
}

TEST_CASE("restore samples: integers are rounded and clamped to their range", "[restore]") {
  const auto [samples, type, expected] =
      GENERATE(table<Samples, at::ScalarType, std::vector<double>>({
          {Samples::u8, at::kByte, {0, 0, 1, 255, 255, 255}},
          {Samples::u16, at::kUInt16, {0, 0, 1, 300, 40000, 65535}},
          {Samples::i16, at::kShort, {-32768, -1, 1, 300, 32767, 32767}},
      }));
  const test::TemporaryFolder folder;
  const Tensor values =
      at::tensor(at::ArrayRef<double>{-50000, -0.6, 0.6, 300.4, 40000, 70000}).view({1, 1, 2, 3});
  for (const std::string& ending : array_endings()) {
    const std::string path = folder.file("o" + ending);
    INFO(path);
    write_picture(path, values, samples);
    CHECK(type_in(path) == type);
    CHECK(at::equal(read_picture(path).values.flatten().to(at::kDouble),
                    at::tensor(at::ArrayRef<double>(expected))));
  }
}

TEST_CASE("restore samples: a result has the type of what was measured", "[restore]") {
  const auto [type, ground, square] = GENERATE(table<at::ScalarType, double, double>({
      {at::kByte, 40, 200},
      {at::kUInt16, 20000, 50000},
      {at::kShort, -900, 2000},
      {at::kFloat, -900, 2000},
  }));
  const test::TemporaryFolder folder;
  const Tensor image = noisy_square(ground, square, 3);
  const std::string white =
      type == at::kFloat || type == at::kShort ? "image: {white: 3000}\n" : "";
  for (const std::string& ending : array_endings()) {
    write_array(folder.file("m" + ending), image.to(type));
    for (const std::string& written : array_endings()) {
      INFO(ending << " to " << written << ": " << c10::toString(type));
      REQUIRE(restored(folder, ending, "o" + written, white) == 0);
      const std::string path = folder.file("o" + written);
      CHECK(type_in(path) == type);
      const Tensor values = read_picture(path).values[0][0].to(at::kDouble);
      CHECK((values - image).abs().max().item<double>() < 0.05 * (square - ground));
    }
  }
}

TEST_CASE("restore samples: arrays of 16 bits make pictures of 16 bits", "[restore]") {
  const test::TemporaryFolder folder;
  write_array(folder.file("m.npy"), noisy_square(20000, 50000, 3).to(at::kUInt16));
  for (const std::string written : {"o.tif", "o.png"}) {
    REQUIRE(restored(folder, ".npy", written) == 0);
    CHECK(read_picture(folder.file(written)).samples == Samples::u16);
  }
  CHECK(told_of(folder, "white") == "65535; 16-bit samples");
  CHECK(told_of(folder, "clamp") == "0 to 65535; 16-bit samples");
  CHECK_THAT(told_of(folder, "output"), test::contains("16-bit samples, as measured"));
  CHECK_THAT(told_of(folder, "measurement 1"), test::contains("m.npy, 14x12 16-bit, identity"));
}

TEST_CASE("restore samples: signed integers have a range and no white", "[restore]") {
  const test::TemporaryFolder folder;
  write_array(folder.file("m.npy"), noisy_square(-900, 2000, 3).to(at::kShort));
  CHECK(restored(folder, ".npy", "o.npy") == wrong_input_code);  // white is not said
  const std::string white = "image: {white: 3000}\n";
  CHECK(restored(folder, ".npy", "o.png", white) == wrong_input_code);
  CHECK(folder.entry_count() == 2);
  REQUIRE(restored(folder, ".npy", "o.tif", white) == 0);
  CHECK(read_picture(folder.file("o.tif")).samples == Samples::f32);
  CHECK_THAT(told_of(folder, "clamp"), test::contains("-32768 to 32767; signed 16-bit samples"));
  CHECK_THAT(told_of(folder, "output"),
             test::contains("float32 samples") && !test::contains("as measured"));
}

TEST_CASE("restore samples: of two types the result has one that holds both", "[restore]") {
  CHECK(samples_for(Samples::u8, Samples::u16) == Samples::u16);
  CHECK(samples_for(Samples::i16, Samples::u8) == Samples::i16);
  CHECK(samples_for(Samples::u16, Samples::i16) == Samples::f32);
  CHECK(samples_for(Samples::i16, Samples::u16) == Samples::f32);
  CHECK(samples_for(Samples::i16, Samples::f64) == Samples::f64);
}

TEST_CASE("restore: a stack of sinograms becomes a volume, slice by slice", "[restore]") {
  const test::TemporaryFolder folder;
  constexpr std::int64_t views = 24;
  constexpr std::int64_t side = 16;
  const tessera::Tomography scan({side, side}, 1, tessera::ScanGeometry::parallel(views, side));
  Tensor truth = at::zeros({5, side, side}, at::kDouble);
  for (std::int64_t z = 0; z < 5; ++z) truth[z].slice(0, 4, 10).slice(1, 3 + z, 9 + z).fill_(0.8);
  const Tensor stack = scan.apply(truth.unsqueeze(1)).squeeze(1);
  CHECK(stack.sizes() == at::IntArrayRef({5, views, side}));
  tessera::write_npy(folder.file("m.npy"), stack);
  const std::string rest =
      "operator: {tomography: {angles: {count: 24, from: 0, to: 180}}}\nnoise: {level: 0.02}\n"
      "image: {white: 1, clamp: [0, 1]}\nsolver: {iterations: 200}\n";
  test::write_bytes(folder.file("c.yml"),
                    "measurements: [{file: m.npy, axes: zyx}]\noutput: o.npy\n"
                    "prior: {name: tv, weight: 2}\n" +
                        rest);
  REQUIRE(run({.config = folder.file("c.yml"), .threads = 1, .quiet = true},
              tessera::self_communicator()) == 0);
  const Tensor volume = tessera::read_npy(folder.file("o.npy"));
  CHECK(volume.sizes() == truth.sizes());
  CHECK((volume - truth).norm().item<double>() < 0.1 * truth.norm().item<double>());
  CHECK_THAT(told_of(folder, "image"), test::contains("16x16x5, 1 channel, 5 slices"));
}
