// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/complex.h>
#include <ATen/ops/equal.h>
#include <sys/resource.h>

#include <csignal>
#include <functional>
#include <memory>
#include <string>

#include "boxes.hpp"
#include "catch.hpp"
#include "data_files.hpp"
#include "failures.hpp"
#include "files.hpp"
#include "shared_folder.hpp"
#include "tessera/distributed/boxed_operator.hpp"
#include "tessera/io/box_files.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/io/tiff_stack.hpp"
#include "world.hpp"
#ifdef TESSERA_TEST_HDF5
#include "tessera/io/hdf5.hpp"
#endif

using namespace tessera;
using test::SharedFolder;

// Files that ranks read and write by boxes, on 1 to 4 ranks, beside files of whole images.
namespace {

/// Cuts of an image along the first axis, the last one, and those of least surface.
std::vector<BoxSpacePtr> cuts(const Tensor& image) {
  const std::int64_t ranks = test::world()->size();
  Extents rows(static_cast<std::size_t>(image.dim() - 2), 1);
  Extents columns = rows;
  rows.front() = ranks;
  columns.back() = ranks;
  return {test::boxes_for(image), test::boxes_for(image, {.grid = rows}),
          test::boxes_for(image, {.grid = columns})};
}

/// While this lives, files cannot grow beyond so many bytes on one rank.
class FullDisk {
 public:
  FullDisk(int culprit, rlim_t bytes) : before_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &limit_);
    rlimit lower = limit_;
    if (test::world()->rank() == culprit) lower.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &lower);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, before_);
  }

 private:
  void (*before_)(int);
  rlimit limit_{};
};

/// `write` fails on `culprit` alone, whose disk is full; the file stays what it was: "old".
void check_full_disk(const SharedFolder& folder, const std::string& path, int culprit,
                     const std::function<void()>& write) {
  if (test::world()->is_root()) test::write_bytes(path, "old");
  const std::size_t entries = folder.entry_count();
  {
    const FullDisk full(culprit, 1000);
    const error::RankFailure failure = test::failure_of(write);
    CHECK(failure.rank() == culprit);
    CHECK_THAT(failure.what(), test::contains(path) && test::contains("File too large"));
  }
  CHECK(folder.entry_count() == entries);
  CHECK(test::read_bytes(path) == "old");
  test::check_in_step();
}

}  // namespace

TEST_CASE("a .npy file that ranks write by boxes is that of the whole image, and is read so") {
  const SharedFolder folder;
  for (const Tensor& image : test::images_to_share()) {
    for (const Tensor& whole : {image, at::complex(image, -image).to(at::kComplexFloat)}) {
      for (const BoxSpacePtr& space : cuts(whole)) {
        const std::string path = folder.file("x.npy");
        const Tensor own = space->scatter(whole);
        write_npy_boxes(path, *space, own);
        if (test::world()->is_root()) {
          write_npy(folder.file("whole.npy"), whole);
          CHECK(test::read_bytes(path) == test::read_bytes(folder.file("whole.npy")));
        }
        CHECK(at::equal(read_npy_boxes(path, *space), own));
      }
    }
  }
  // An image without batch and channels.
  const Tensor plane = test::indexed({11, 13});
  const BoxSpace space(test::world(), {11, 13});
  if (test::world()->is_root()) write_npy(folder.file("plane.npy"), plane);
  test::world()->barrier();
  CHECK(at::equal(read_npy_boxes(folder.file("plane.npy"), space),
                  space.scatter(plane.view({1, 1, 11, 13}))));
}

TEST_CASE("a measurement that is smaller than the image is written by boxes") {
  const SharedFolder folder;
  const std::string path = folder.file("y.npy");
  const Tensor image = test::indexed({1, 2, 29, 37});
  const BoxSpacePtr space = test::boxes_for(image);
  const auto blur = boxed_blur(space, test::indexed({1, 1, 4, 5}), Padding::valid);
  const Tensor y = blur->forward(space->scatter(image)).front();
  write_npy_boxes(path, *test::world(), y, blur->measured_box(), blur->measured_extents());
  const Tensor whole = Blur(test::indexed({1, 1, 4, 5}), Padding::valid).apply(image);
  CHECK(test::relative_error(read_npy(path), whole) < 1e-14);
}

TEST_CASE("a TIFF file of an image in boxes is that of the whole image, and is read so") {
  const SharedFolder folder;
  // The last: pages of several strips.
  for (const Tensor& image : {test::indexed({2, 3, 29, 37}), test::indexed({2, 2, 5, 13, 17}),
                              test::indexed({1, 1, 131, 1001})}) {
    const Tensor whole = image.dim() == 4 ? image.unsqueeze(2) : image;
    for (const BoxSpacePtr& space : cuts(image)) {
      const std::string path = folder.file("x.tif");
      const Tensor own = space->scatter(image);
      for (const SampleType samples : {SampleType::f32, SampleType::u8}) {
        const TiffStackWriteOptions options{samples, VoxelSize{2, 1, 1, "um"}};
        const double scale = samples == SampleType::u8 ? 100 : 1;
        const double offset = samples == SampleType::u8 ? 1 : 0;
        for (const std::int64_t most_bytes : {std::int64_t{1}, slab_bytes}) {
          if (most_bytes == 1 && samples == SampleType::u8) continue;
          write_tiff_boxes(path, *space, scale * (own + offset), options, most_bytes);
          if (!test::world()->is_root()) continue;
          write_tiff_stack(folder.file("whole.tif"), scale * (whole + offset), options);
          CHECK(test::read_bytes(path) == test::read_bytes(folder.file("whole.tif")));
        }
        const Tensor values = samples == SampleType::u8 ? (scale * (own + offset)).round() : own;
        CHECK(at::equal(read_tiff_boxes(path, *space), values.to(at::kFloat)));
      }
    }
  }
  // Tiles of another program.
  const Tensor tiles = read_tiff_stack(test::data_file("stack_tiles.tif")).values;
  const BoxSpacePtr space = test::boxes_for(tiles);
  CHECK(at::equal(read_tiff_boxes(test::data_file("stack_tiles.tif"), *space),
                  space->scatter(tiles)));
}

TEST_CASE("files that do not fit the space are refused on all ranks") {
  if (test::world()->size() == 1) return;
  const SharedFolder folder;
  const Tensor image = test::indexed({1, 1, 12, 14});
  const BoxSpacePtr space = test::boxes_for(image);
  if (test::world()->is_root()) {
    write_npy(folder.file("larger.npy"), test::indexed({1, 1, 12, 15}));
    write_tiff_stack(folder.file("larger.tif"), test::indexed({1, 1, 1, 13, 14}));
    write_tiff_stack(folder.file("planes.tif"), test::indexed({1, 1, 3, 12, 14}));
  }
  test::world()->barrier();
  const auto fails = [](const std::string& text, const std::function<void()>& action) {
    CHECK_THAT(test::failure_of(action).what(), test::contains(text));
    test::check_in_step();
  };
  fails("the array is [1, 1, 12, 15], expected up to two axes and then [12, 14]",
        [&] { read_npy_boxes(folder.file("larger.npy"), *space); });
  fails("the array is [1, 1, 13, 14]", [&] { read_tiff_boxes(folder.file("larger.tif"), *space); });
  fails("the array is [1, 1, 3, 12, 14]",
        [&] { read_tiff_boxes(folder.file("planes.tif"), *space); });
  fails("No such file", [&] { read_npy_boxes(folder.file("none.npy"), *space); });
  const Tensor own = space->scatter(image);
  fails("cannot write /no/such/x.npy", [&] { write_npy_boxes("/no/such/x.npy", *space, own); });
  fails("cannot write /no/such/x.tif", [&] { write_tiff_boxes("/no/such/x.tif", *space, own); });
  fails("expected a real tensor",
        [&] { write_tiff_boxes(folder.file("x.tif"), *space, at::complex(own, own)); });
  // One rank's values, which the first rank sees while it writes.
  Tensor bright = own.abs().clone();
  if (test::world()->rank() == test::world()->size() - 1) bright.view(-1)[0] = 300;
  fails("expected 0 to 255", [&] {
    write_tiff_boxes(folder.file("x.tif"), *space, bright, {.samples = SampleType::u8});
  });
  // One rank's tensor alone.
  const bool is_culprit = test::world()->rank() == test::world()->size() - 1;
  const Tensor narrow = is_culprit ? own.narrow(3, 1, 1) : own;
  fails("write_npy_boxes", [&] { write_npy_boxes(folder.file("x.npy"), *space, narrow); });
  CHECK(folder.entry_count() == 3);
}

TEST_CASE("a disk that is full for one rank ends all, and leaves nothing") {
  if (test::world()->size() == 1) return;
  const SharedFolder folder;
  const Tensor image = test::indexed({1, 1, 64, 80});
  const BoxSpacePtr space = test::boxes_for(image, {.grid = {test::world()->size(), 1}});
  const Tensor own = space->scatter(image);
  const int last = test::world()->size() - 1;
  for (const int culprit : {0, last}) {
    check_full_disk(folder, folder.file("x.npy"), culprit,
                    [&] { write_npy_boxes(folder.file("x.npy"), *space, own); });
#ifdef TESSERA_TEST_HDF5
    if (culprit == last) {
      check_full_disk(folder, folder.file("x.h5"), culprit,
                      [&] { write_hdf5_boxes(folder.file("x.h5"), "x", *space, own); });
    }
#endif
  }
  check_full_disk(folder, folder.file("x.tif"), 0,
                  [&] { write_tiff_boxes(folder.file("x.tif"), *space, own); });
}

TEST_CASE("what a killed writer left behind goes with the next file of its name") {
  const SharedFolder folder;
  const Tensor image = test::indexed({1, 1, 12, 14});
  const BoxSpacePtr space = test::boxes_for(image);
  const Tensor own = space->scatter(image);
  const auto leave = [&](const std::string& name) {
    if (!test::world()->is_root()) return;
    test::write_bytes(folder.file(name + ".0123abcd.tmp"), "half");
    test::write_bytes(folder.file("other" + name + ".0123abcd.tmp"), "of another file");
  };
  std::size_t files = 0;
  const auto check_tidy = [&] {
    files += 2;  // with the other file's leftover
    CHECK(folder.entry_count() == files);
    test::world()->barrier();
  };
  leave("x.npy");
  write_npy_boxes(folder.file("x.npy"), *space, own);
  check_tidy();
  leave("x.tif");
  write_tiff_boxes(folder.file("x.tif"), *space, own);
  check_tidy();
#ifdef TESSERA_TEST_HDF5
  leave("x.h5");
  write_hdf5_boxes(folder.file("x.h5"), "x", *space, own);
  check_tidy();
#endif
}

#ifdef TESSERA_TEST_HDF5
TEST_CASE("an HDF5 dataset that ranks write by boxes is that of the whole image, and is read so") {
  const SharedFolder folder;
  for (const Tensor& image : test::images_to_share()) {
    for (const Tensor& whole : {image.to(at::kFloat), at::complex(image, -image)}) {
      for (const BoxSpacePtr& space : cuts(whole)) {
        const std::string path = folder.file("x.h5");
        const Tensor own = space->scatter(whole);
        write_hdf5_boxes(path, "group/x", *space, own);
        CHECK(at::equal(read_hdf5(path, "group/x"), whole));
        CHECK(at::equal(read_hdf5_boxes(path, "group/x", *space), own));
        test::world()->barrier();
      }
    }
  }
}
#endif
