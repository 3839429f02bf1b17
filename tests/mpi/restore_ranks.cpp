// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/abs.h>
#include <ATen/ops/fft_fft2.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>

#include <filesystem>
#include <string>

#include "catch.hpp"
#include "failures.hpp"
#include "files.hpp"
#include "restore/pictures.hpp"
#include "restore/run.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/io/npy.hpp"
#include "world.hpp"

namespace {

std::string shared_file(const std::string& name) {
  return std::string(TESSERA_TEST_DATA) + "/restore/" + name;
}

/// A folder of this rank's own with the burst in float32, which rounds nothing that is restored.
class Burst {
 public:
  Burst() {
    constexpr float white = 65535;
    for (const char* name : {"frame0", "frame1", "frame2", "frame3"}) {
      const tessera::Tensor values =
          restore::read_picture(shared_file(name + std::string(".tif"))).values;
      restore::write_picture(folder_.file(name + std::string(".npy")), values / white,
                             restore::Samples::f32);
    }
  }

  /// What the ranks of `ranks` restore together. Undefined where another rank writes it.
  tessera::Tensor restored(const tessera::CommunicatorPtr& ranks, const std::string& prior) const {
    const std::string config = folder_.file("c.yml");
    test::write_bytes(
        config,
        "measurements:\n"
        "  - {file: frame0.npy, axes: cyx, operator: [blur: {gaussian: 0.8}, down_sampling: "
        "{factor: 2}]}\n"
        "  - {file: frame1.npy, axes: cyx, operator: [blur: {gaussian: 0.8}, down_sampling: "
        "{factor: 2, shift: [0.5, 0.1]}]}\n"
        "  - {file: frame2.npy, axes: cyx, operator: [blur: {gaussian: 0.8}, down_sampling: "
        "{factor: 2, shift: [-0.4, 0.45]}], noise: {level: 0.02}}\n"
        "  - {file: frame3.npy, axes: cyx, operator: [blur: {gaussian: 0.8}, down_sampling: "
        "{factor: 2, shift: [0.1, -0.5]}]}\n"
        "noise: {level: 0.01}\n"
        "prior: " +
            prior + "\nsolver: {iterations: 5}\noutput: o.npy\n");
    CHECK(restore::run({.config = config, .threads = 1, .quiet = true}, ranks) == 0);
    const std::string output = folder_.file("o.npy");
    if (!std::filesystem::exists(output)) return {};
    const tessera::Tensor values = restore::read_picture(output, {.spatial = 2}).values;
    std::filesystem::remove(output);
    return values;
  }

 private:
  test::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("restore: every number of ranks restores the same", "[restore]") {
  // Sums over ranks round differently, and conjugate gradients and the network enlarge that: in
  // float32 to some 1e-5.
  const std::string prior = GENERATE(as<std::string>(), "drunet", "{name: tv, weight: 20}", "tv");
  // The search for a weight restores many times: a minute where ranks share cores.
  if (prior == "tv" && test::world()->size() > 2) return;
  const Burst burst;
  const tessera::Tensor together = burst.restored(test::world(), prior);
  CHECK(together.defined() == test::world()->is_root());
  if (!together.defined()) return;
  const tessera::Tensor alone = burst.restored(tessera::self_communicator(), prior);
  CHECK(at::abs(together - alone).max().item<double>() <= 1e-6);
}

TEST_CASE("restore: a file that one rank cannot read ends all of them", "[restore]") {
  const test::TemporaryFolder folder;
  const std::string config = folder.file("c.yml");
  const std::string frame = shared_file("frame0.tif");
  // The last measurement is the last rank's.
  test::write_bytes(config, "measurements: [" + frame + ", " + frame + ", " + frame +
                                ", no.tif]\noutput: o.tif\n");
  CHECK(restore::run({.config = config, .threads = 1, .quiet = true}, test::world()) ==
        restore::wrong_input_code);
  test::check_in_step();
  CHECK(folder.entry_count() == 1);
}

TEST_CASE("restore: a volume is the same on every number of ranks", "[restore]") {
  const test::TemporaryFolder folder;
  const std::string config = folder.file("c.yml");
  const std::string cells = shared_file("cells.tif");
  test::write_bytes(config,
                    "measurements:\n"
                    "  - {file: " +
                        cells +
                        ", operator: {blur: {gaussian: [2, 1, 1]}}}\n"
                        "  - {file: " +
                        cells +
                        ", operator: {blur: {gaussian: [2, 1, 1]}}, "
                        "weight: 0.5}\n"
                        "noise: {level: 60}\nimage: {white: 20000}\n"
                        "prior: {name: tv, weight: 30}\nsolver: {iterations: 4}\n"
                        "output: o.npy\n");
  const auto restored = [&](const tessera::CommunicatorPtr& ranks, const std::string& name) {
    CHECK(restore::run({.config = config, .output = folder.file(name), .threads = 1, .quiet = true},
                       ranks) == 0);
    const bool is_there = std::filesystem::exists(folder.file(name));
    return is_there ? restore::read_picture(folder.file(name)).values : tessera::Tensor();
  };
  const tessera::Tensor together = restored(test::world(), "together.tif");
  CHECK(together.defined() == test::world()->is_root());
  if (!together.defined()) return;
  CHECK(together.sizes() == at::IntArrayRef({1, 1, 16, 32, 32}));
  // 16 bits: rounding may fall to the other side.
  const tessera::Tensor alone = restored(tessera::self_communicator(), "alone.tif");
  CHECK(at::abs(together - alone).max().item<double>() <= 1);
}

TEST_CASE("restore: a scan, coefficients and a list are the same on every number of ranks",
          "[restore][few_ranks]") {
  // Of one image, 8 x 8, of 0 to 2; each kind of measurement has a unit of its own.
  const test::TemporaryFolder folder;
  const tessera::Tensor image =
      at::linspace(0, 2, 64, at::kDouble).view({8, 8}).square().remainder(2);
  tessera::write_npy(folder.file("scan.npy"), at::stack({image.sum(0), image.sum(1)}));
  tessera::write_npy(folder.file("k.npy"), at::fft_fft2(image, {}, {-2, -1}, "ortho"));
  tessera::write_npy(folder.file("mask.npy"), at::ones({8, 8}));
  tessera::write_npy(folder.file("list.npy"), 3 * image.flatten().slice(0, 0, 2));
  test::write_bytes(folder.file("m.mtx"),
                    "%%MatrixMarket matrix coordinate real general\n2 64 2\n1 1 3\n2 2 3\n");
  const std::string config = folder.file("c.yml");
  test::write_bytes(config,
                    "measurements:\n"
                    "  - {file: scan.npy, operator: {tomography: {angles: [0, 90]}}}\n"
                    "  - {file: k.npy, operator: {fourier: {mask: mask.npy}}}\n"
                    "  - {file: list.npy, operator: {matrix: {file: m.mtx}}}\n"
                    "noise: {level: 0.01}\nimage: {white: 2}\noutput: o.npy\n"
                    "prior: {name: tv, weight: 1}\nsolver: {iterations: 1000}\n");
  const auto restored = [&](const tessera::CommunicatorPtr& ranks, const std::string& name) {
    CHECK(restore::run({.config = config, .output = folder.file(name), .threads = 1, .quiet = true},
                       ranks) == 0);
    const bool is_there = std::filesystem::exists(folder.file(name));
    return is_there ? restore::read_picture(folder.file(name)).values : tessera::Tensor();
  };
  const tessera::Tensor together = restored(test::world(), "together.npy");
  CHECK(together.defined() == test::world()->is_root());
  if (!together.defined()) return;
  CHECK(at::abs(together - image).max().item<double>() <= 0.05);
  const tessera::Tensor alone = restored(tessera::self_communicator(), "alone.npy");
  CHECK(at::abs(together - alone).max().item<double>() <= 1e-6);
}

TEST_CASE("restore: wrong inputs end all ranks, and nothing is written", "[restore]") {
  const test::TemporaryFolder folder;
  const std::string config = folder.file("c.yml");
  const std::string cells = shared_file("cells.tif");
  const std::string lens = shared_file("lens.tif");
  const std::string wrong = GENERATE_COPY(
      as<std::string>(), "measurements: [{file: " + cells + ", axes: zy}]\n",
      "measurements: [{file: " + cells + ", axes: czyx}]\n",
      "measurements: [{file: " + cells + ", dataset: a}]\n",
      "measurements: [" + cells + ", " + lens + "]\n",
      "measurements: [" + cells + "]\nprior: dncnn\n",
      "measurements: [" + cells + "]\nprior: {name: drunet, weights: " + cells + "}\n",
      "measurements: [" + cells + "]\noperator: {blur: {gaussian: [1, 2]}}\n",
      "measurements: [" + cells + "]\noperator: {blur: {kernel: no.tif}}\n",
      "measurements: [" + cells + "]\noperator: {down_sampling: {factor: 2}}\n",
      "measurements: [" + cells + "]\noperator: {mask: {file: " + lens + "}}\n",
      "measurements: [" + cells + "]\noperator: {space_varying_blur: {kernels: " + lens +
          ", grid: [3, 3]}}\n",
      "measurements: [" + cells + "]\noperator: {matrix: {file: no.mtx}}\n",
      "measurements: [" + cells + "]\noperator: {tomography: {angles: [0]}}\n",
      "measurements: [" + cells + "]\noperator: {fourier: {mask: " + cells + "}}\n",
      "measurements: [" + cells + "]\nsolver: {precision: half}\n",
      "measurements: [" + cells + "]\nprior: {weight: least}\n");
  INFO(wrong);
  test::write_bytes(config, wrong + "output: o.tif\n");
  CHECK(restore::run({.config = config, .threads = 1, .quiet = true}, test::world()) ==
        restore::wrong_input_code);
  test::check_in_step();
  CHECK(folder.entry_count() == 1);
}
