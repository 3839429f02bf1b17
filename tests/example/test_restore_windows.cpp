// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>

#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "files.hpp"
#include "restore/pictures.hpp"
#include "tessera/comm/box.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/io/tiff_stack.hpp"
#ifdef TESSERA_TEST_HDF5
#include "tessera/io/hdf5.hpp"
#endif

using namespace restore;
using tessera::Tensor;

namespace {

Tensor numbers(at::IntArrayRef shape, at::ScalarType type = at::kFloat) {
  return at::arange(c10::multiply_integers(shape), type).view(shape);
}

}  // namespace

TEST_CASE("restore: a window of a picture is that of the whole", "[restore]") {
  const test::TemporaryFolder folder;
  tessera::write_npy(folder.file("plain.npy"), numbers({7, 9}));
  tessera::write_npy(folder.file("colour.npy"), numbers({7, 9, 3}, at::kDouble));
  tessera::write_npy(folder.file("volume.npy"), numbers({5, 7, 9}));
  tessera::write_npy(folder.file("bytes.npy"), numbers({2, 5, 7, 3}, at::kByte));
  write_picture(folder.file("deep.tif"), numbers({1, 1, 7, 9}), Samples::u16);
  write_picture(folder.file("colour.tif"), numbers({1, 3, 7, 9}), Samples::f32);
  tessera::write_tiff_stack(folder.file("volume.tif"), numbers({5, 7, 9}).remainder(256),
                            {.samples = tessera::SampleType::u8});
  write_picture(folder.file("colour.png"), numbers({1, 3, 7, 9}), Samples::u8);
  std::vector<std::pair<std::string, PictureChoice>> files = {{"plain.npy", {}},
                                                              {"colour.npy", {.axes = "yxc"}},
                                                              {"volume.npy", {.axes = "zyx"}},
                                                              {"volume.npy", {.spatial = 3}},
                                                              {"bytes.npy", {.axes = "cyxz"}},
                                                              {"deep.tif", {}},
                                                              {"colour.tif", {}},
                                                              {"colour.png", {}},
                                                              {"volume.tif", {}},
                                                              {"volume.tif", {.axes = "zyx"}}};
#ifdef TESSERA_TEST_FITS
  write_picture(folder.file("sky.fits"), numbers({1, 1, 7, 9}), Samples::f32);
  write_picture(folder.file("cube.fits"), numbers({1, 1, 5, 7, 9}, at::kDouble), Samples::f64);
  files.push_back({"sky.fits", {}});
  files.push_back({"cube.fits", {.axes = "zyx"}});
#endif
#ifdef TESSERA_TEST_HDF5
  tessera::write_hdf5(folder.file("two.h5"),
                      {{"a", numbers({7, 9})}, {"b/c", numbers({5, 7, 9}, at::kInt)}});
  files.push_back({"two.h5", {.dataset = "a"}});
  files.push_back({"two.h5", {.axes = "zyx", .dataset = "/b/c"}});
#endif
  for (const auto& [name, choice] : files) {
    INFO(name << " " << choice.axes << " " << choice.dataset);
    const std::string path = folder.file(name);
    const Picture whole = read_picture(path, choice);
    const Picture outline = outline_of_picture(path, choice);
    CHECK(outline.values.is_meta());
    CHECK(outline.values.sizes() == whole.values.sizes());
    tessera::Box window;
    for (const std::int64_t extent : whole.values.sizes().slice(2)) {
      const auto axis = static_cast<std::int64_t>(window.axes.size());
      window.axes.push_back({1, extent - 1 - axis % 2});
    }
    const Picture part = read_window(path, choice, window);
    CHECK(at::equal(
        part.values,
        tessera::part_of(whole.values, tessera::whole_box(whole.values.sizes().slice(2)), window)));
    for (const Picture* each : {&outline, &part}) {
      CHECK(each->samples == whole.samples);
      CHECK(each->white == whole.white);
      CHECK(each->values.scalar_type() == whole.values.scalar_type());
    }
  }
}
