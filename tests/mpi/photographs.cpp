// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>
#include <ATen/ops/rand.h>

#include <algorithm>
#include <optional>
#include <string>

#include "boxes.hpp"
#include "catch.hpp"
#include "data_files.hpp"
#include "failures.hpp"
#include "files.hpp"
#include "restoration/boxed_files.hpp"
#include "restoration/photograph.hpp"
#include "tessera/comm/detail/gather.hpp"
#include "tessera/io/image.hpp"
#include "world.hpp"

using namespace tessera;
using restoration::Photograph;

// Photographs of which ranks get their boxes, beside whole ones.

TEST_CASE("A box of a photograph is that part of it") {
  for (const char* name : {"strips8.tif", "tiles8.tif", "tiles_planar16.tif", "bigtiff8.tif",
                           "grey_alpha16.tif", "rgb8.png"}) {
    INFO(name);
    const restoration::PhotographFile file{test::data_file(name)};
    const Photograph whole = restoration::read_photograph("x", file.path, std::nullopt);
    const bool is_tiff = file.path.ends_with(".tif");
    for (const bool same_size : {true, false}) {
      const Photograph begun = restoration::begin_photograph(file, *test::world());
      CHECK(begun.is_shape == (is_tiff || !test::world()->is_root()));
      CHECK(begun.image.sizes() == whole.image.sizes());
      CHECK(begun.samples == whole.samples);
      const Tensor image = (same_size ? whole.image : restoration::scaled(whole.image, 12, 22))
                               .expand({1, 3, -1, -1});
      const BoxSpacePtr space = test::boxes_for(image);
      const Photograph own = restoration::read_photograph_of_boxes(file, *space, begun, at::kCPU);
      CHECK(at::equal(own.image, space->scatter(image)));
    }
  }
}

TEST_CASE("Of a TIFF photograph a rank decodes its window alone") {
  std::optional<test::TemporaryFolder> folder;
  if (test::world()->is_root()) folder.emplace();
  const restoration::PhotographFile file{
      tessera::detail::gather_texts(*test::world(), folder ? folder->file("x.tif") : "").front()};
  if (test::world()->is_root()) {
    // Eight strips, the last of which are damaged.
    write_image(file.path, at::rand({1, 1, 2048, 256}), {.samples = SampleType::f32});
    std::string bytes = test::read_bytes(file.path);
    const auto part = static_cast<std::ptrdiff_t>(bytes.size() / 32);
    std::fill(bytes.begin() + 27 * part, bytes.begin() + 30 * part, '\0');
    test::write_bytes(file.path, bytes);
  }
  test::world()->barrier();
  const int last = test::world()->size() - 1;
  const BoxSpace rows(test::world(), {2048, 256}, {.grid = {last + 1, 1}});
  const Photograph begun = restoration::begin_photograph(file, *test::world());
  const error::RankFailure failure =
      test::failure_of([&] { restoration::read_photograph_of_boxes(file, rows, begun, at::kCPU); });
  CHECK(failure.rank() == last);
  test::check_in_step();
  test::world()->barrier();
}
