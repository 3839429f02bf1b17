// SPDX-License-Identifier: BSD-3-Clause
#include "catch.hpp"

#ifdef TESSERA_TEST_HDF5

#include <ATen/ops/abs.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>

#include <string>

#include "files.hpp"
#include "restore/pictures.hpp"
#include "restore/run.hpp"
#include "shared_folder.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/io/hdf5.hpp"
#include "world.hpp"

using restore::Samples;
using tessera::Tensor;

// HDF5 files that ranks write by boxes, beside those that one rank writes.
TEST_CASE("restore: ranks write their boxes into one HDF5 file", "[restore]") {
  const test::SharedFolder folder;
  const auto [samples, channels] = GENERATE(
      table<Samples, std::int64_t>({{Samples::u16, 1}, {Samples::i16, 3}, {Samples::f64, 1}}));
  const Tensor image =
      at::arange(channels * 10 * 12, at::kDouble).mul(613.7).sub(9000).view({1, channels, 10, 12});
  const tessera::BoxSpace space(test::world(), {10, 12});
  restore::write_boxes(folder.file("boxes.h5"), space, space.scatter(image), samples,
                       {.dataset = "entry/data"});
  restore::write_picture(folder.file("whole.h5") + std::to_string(test::world()->rank()) + ".h5",
                         image, samples, {.dataset = "entry/data"});
  const Tensor written = tessera::read_hdf5(folder.file("boxes.h5"), "entry/data");
  const Tensor expected = tessera::read_hdf5(
      folder.file("whole.h5") + std::to_string(test::world()->rank()) + ".h5", "entry/data");
  CHECK(written.scalar_type() == expected.scalar_type());
  CHECK(at::equal(written.to(at::kDouble), expected.to(at::kDouble)));
  test::world()->barrier();
}

TEST_CASE("restore: ranks that share out the image keep 16 bits of an HDF5 dataset", "[restore]") {
  const test::SharedFolder folder;
  if (test::world()->is_root()) {
    const Tensor ramp = at::arange(24 * 20, at::kDouble).mul(7).remainder(48).view({24, 20});
    tessera::write_hdf5(folder.file("m.h5"),
                        {{"raw/data", (20000 + 500 * ramp).to(at::kUInt16)}, {"raw/dark", ramp}});
    test::write_bytes(folder.file("c.yml"),
                      "measurements: [{file: m.h5, dataset: raw/data}]\n"
                      "operator: {blur: {gaussian: 0.8, border: reflect}}\nnoise: {level: 900}\n"
                      "prior: {name: tv, weight: 20}\nsolver: {iterations: 10}\noutput: o.h5\n");
  }
  test::world()->barrier();
  restore::RunOrders orders{.config = folder.file("c.yml"),
                            .output = folder.file("boxed.h5"),
                            .distribute_image = true,
                            .threads = 1,
                            .quiet = true};
  REQUIRE(restore::run(orders, test::world()) == 0);
  test::world()->barrier();
  if (!test::world()->is_root()) return;
  orders.output = folder.file("whole.h5");
  orders.distribute_image = false;
  REQUIRE(restore::run(orders, tessera::self_communicator()) == 0);
  const Tensor boxed = tessera::read_hdf5(folder.file("boxed.h5"), "raw/data");
  const Tensor whole = tessera::read_hdf5(folder.file("whole.h5"), "raw/data");
  CHECK(boxed.scalar_type() == at::kUInt16);
  CHECK(boxed.sizes() == at::IntArrayRef({24, 20}));
  // Rounding may fall to the other side.
  CHECK(at::abs(boxed.to(at::kDouble) - whole.to(at::kDouble)).max().item<double>() <= 1);
}

#else

TEST_CASE("restore: HDF5 files by boxes are not tested, this was built without HDF5", "[restore]") {
  WARN("HDF5 is not tested: this was built without it");
}

#endif
