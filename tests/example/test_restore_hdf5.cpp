// SPDX-License-Identifier: BSD-3-Clause
#include "catch.hpp"

#ifdef TESSERA_TEST_HDF5

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <string>

#include "files.hpp"
#include "restore/pictures.hpp"
#include "restore/run.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/hdf5.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/physics/noise.hpp"

using namespace restore;
using tessera::Tensor;

namespace {

/// Files as detectors and microscopes leave them.
class Hdf5Files {
 public:
  Hdf5Files() {
    tessera::write_hdf5(one, {{"entry/data", picture}});
    tessera::write_hdf5(several, {{"entry/dark", at::zeros({6, 8})},
                                  {"entry/data", volume},
                                  {"entry/list", at::arange(5, at::kDouble)}});
  }

  /// What is said against a choice; "accepted" if nothing is.
  std::string complaint(const PictureChoice& choice) const {
    try {
      read_picture(several, choice);
    } catch (const tessera::error::Error& error) {
      return error.what();
    }
    return "accepted";
  }

  test::TemporaryFolder folder;
  const std::string one = folder.file("one.h5");
  const std::string several = folder.file("several.HDF5");
  const Tensor picture = (at::arange(48, at::kFloat) / 47).view({6, 8});
  const Tensor volume = at::arange(240, at::kDouble).view({5, 6, 8});
};

}  // namespace

TEST_CASE("restore hdf5: the only dataset of a file needs no name", "[restore]") {
  const Hdf5Files files;
  const Picture read = read_picture(files.one);
  CHECK(at::equal(read.values, files.picture.view({1, 1, 6, 8})));
  CHECK(read.samples == Samples::f32);
}

TEST_CASE("restore hdf5: of several datasets the named one is read", "[restore]") {
  const Hdf5Files files;
  const std::string name = GENERATE("entry/data", "/entry/data");
  const Picture read = read_picture(files.several, {.dataset = name});
  CHECK(at::equal(read.values, files.volume.view({1, 1, 5, 6, 8})));
  CHECK(read.samples == Samples::f64);
  CHECK(at::equal(read_picture(files.several, {.axes = "xzy", .dataset = name}).values,
                  files.volume.permute({1, 2, 0}).view({1, 1, 6, 8, 5})));
  CHECK(read_picture(files.several, {.dataset = "entry/list", .is_list = true}).values.sizes() ==
        at::IntArrayRef({1, 5}));
}

TEST_CASE("restore hdf5: a missing, ambiguous or wrong dataset is one sentence", "[restore]") {
  const Hdf5Files files;
  const auto [dataset, expected] = GENERATE(table<std::string, std::string>({
      {"", "holds 3 datasets (entry/dark, entry/data, entry/list): give dataset, its name"},
      {"/", "holds 3 datasets (entry/dark, entry/data, entry/list): give dataset, its name"},
      {"entry/dat", "has no dataset 'entry/dat', it has 'entry/dark', 'entry/data', 'entry/list'"},
      {"entry", "has no dataset 'entry'"},
      {"entry/list", "holds [5], expected (H, W), (C, H, W) or a volume (D, H, W)"},
  }));
  INFO(dataset);
  const std::string complaint = files.complaint({.dataset = dataset});
  CHECK_THAT(complaint, test::contains(expected));
  CHECK_THAT(complaint, test::contains(files.several));
}

TEST_CASE("restore hdf5: what no dataset gave is written as image, with its type", "[restore]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("o.h5");
  const Tensor values = at::arange(48, at::kDouble).view({1, 1, 6, 8}) * 7.3;
  write_picture(path, values, Samples::f64);
  CHECK(at::equal(tessera::read_hdf5(path, "image"), values[0][0]));
  write_picture(path, values, Samples::u8);
  CHECK(at::equal(tessera::read_hdf5(path, "image"),
                  values[0][0].round().clamp_max(255).to(at::kByte)));
}

TEST_CASE("restore hdf5: a run restores a volume of a dataset", "[restore]") {
  const test::TemporaryFolder folder;
  const Tensor truth = at::zeros({6, 12, 14}, at::kDouble);
  truth.slice(0, 1, 5).slice(1, 3, 9).slice(2, 4, 11).fill_(0.8);
  const Tensor noisy =
      tessera::GaussianNoise(0.1, 3).add(truth.view({1, 1, 6, 12, 14})).view({6, 12, 14});
  tessera::write_hdf5(folder.file("m.h5"), {{"dark", at::zeros({12, 14})}, {"raw/data", noisy}});
  const std::string config = folder.file("c.yml");
  const auto code_with = [&](const std::string& dataset, const std::string& output) {
    test::write_bytes(config, "measurements: [{file: m.h5, axes: zyx, dataset: " + dataset +
                                  "}]\nnoise: {level: 0.1}\nimage: {white: 1}\n"
                                  "prior: {name: tv, weight: 8}\noutput: " +
                                  output + "\n");
    return run({.config = config, .threads = 1, .quiet = true}, tessera::self_communicator());
  };
  CHECK(code_with("dark", "o.npy") == wrong_input_code);
  CHECK(code_with("raw", "o.npy") == wrong_input_code);
  REQUIRE(folder.entry_count() == 2);
  REQUIRE(code_with("raw/data", "o.npy") == 0);
  const Tensor restored = tessera::read_npy(folder.file("o.npy"));
  CHECK(restored.sizes() == truth.sizes());
  REQUIRE(code_with("raw/data", "o.h5") == 0);
  CHECK(at::equal(tessera::read_hdf5(folder.file("o.h5"), "raw/data"), restored));
  CHECK((restored - truth).norm().item<double>() < 0.5 * (noisy - truth).norm().item<double>());
}

#else

TEST_CASE("restore hdf5: not tested, this was built without HDF5", "[restore]") {
  WARN("HDF5 is not tested: this was built without it");
}

#endif
