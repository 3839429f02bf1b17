// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/abs.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/fft_fft2.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "catch.hpp"
#include "failures.hpp"
#include "files.hpp"
#include "restore/pictures.hpp"
#include "restore/run.hpp"
#include "shared_folder.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/physics/noise.hpp"
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

namespace {

/// Files of one folder of all ranks: pictures, volumes, a mask and kernels.
class SharedInputs {
 public:
  SharedInputs() {
    if (test::world()->is_root()) write();
    test::world()->barrier();
  }

  std::string file(const std::string& name) const { return folder_.file(name); }

  /// What a configuration restores on the ranks that share the image out, and on one that has it
  /// whole: on the first rank, undefined on the others.
  std::pair<tessera::Tensor, tessera::Tensor> restored(const std::string& config,
                                                       const std::string& output) const {
    if (test::world()->is_root()) test::write_bytes(file("c.yml"), config + "output: o.npy\n");
    test::world()->barrier();
    const restore::RunOrders boxed{.config = file("c.yml"),
                                   .output = file("boxed" + output),
                                   .distribute_image = true,
                                   .threads = 1,
                                   .quiet = true};
    CHECK(restore::run(boxed, test::world()) == 0);
    test::world()->barrier();
    if (!test::world()->is_root()) return {};
    restore::RunOrders whole = boxed;
    whole.output = file("whole" + output);
    whole.distribute_image = false;
    CHECK(restore::run(whole, tessera::self_communicator()) == 0);
    return {restore::read_picture(boxed.output, {.spatial = 2}).values,
            restore::read_picture(whole.output, {.spatial = 2}).values};
  }

 private:
  void write() const {
    const auto rows = at::linspace(0, 3, 40, at::kDouble).view({40, 1});
    const auto columns = at::linspace(0, 5, 48, at::kDouble).view({1, 48});
    const tessera::Tensor scene = 0.5 + 0.3 * at::sin(rows * columns) * at::cos(columns - rows);
    const auto noisy = [&](const tessera::Tensor& clean, std::uint64_t seed) {
      return tessera::GaussianNoise(0.02, seed).add(clean).to(at::kFloat);
    };
    tessera::write_npy(file("y.npy"), noisy(scene, 1));
    tessera::write_npy(file("rgb.npy"), noisy(scene.expand({3, 40, 48}), 2));
    tessera::write_npy(file("small.npy"), noisy(scene.slice(0, 0, 24).slice(1, 0, 24), 3));
    tessera::write_npy(file("volume.npy"),
                       noisy(scene.slice(0, 0, 24), 4).view({12, 24, 4}).repeat({1, 1, 6}));
    restore::write_picture(file("deep.tif"), 65535 * noisy(scene, 5).view({1, 1, 40, 48}),
                           restore::Samples::u16);
    tessera::Tensor mask = at::ones({40, 48});
    mask.narrow(0, 10, 9).narrow(1, 20, 3).fill_(0);
    tessera::write_npy(file("mask.npy"), mask);
    const tessera::Tensor kernels = at::linspace(1, 2, 4 * 9, at::kDouble).view({4, 3, 3});
    tessera::write_npy(file("lens.npy"), kernels / kernels.sum({1, 2}, true));
  }

  test::SharedFolder folder_;
};

}  // namespace

TEST_CASE("restore: ranks that share out the image restore the same", "[restore]") {
  const std::string tv = "prior: {name: tv, weight: 20}\nsolver: {iterations: 30}\n";
  const std::string level = "noise: {level: 0.02}\n";
  const std::string config = GENERATE_COPY(
      as<std::string>(), "measurements: [y.npy]\noperator: {blur: {gaussian: 1}}\n" + level + tv,
      "measurements: [y.npy]\noperator: {blur: {gaussian: 0.8, border: reflect}}\n" + level +
          "prior: {name: tv, weight: 1}\nsolver: {name: proximal_gradient, iterations: 5}\n",
      "measurements:\n  - {file: y.npy, operator: {blur: {gaussian: 0.8, border: reflect}}}\n"
      "  - {file: y.npy, operator: [blur: {gaussian: 1, border: constant}, mask: {file: "
      "mask.npy}], "
      "noise: {level: 0.03}, weight: 0.7}\n" +
          tv,
      "measurements: [{file: volume.npy, axes: zyx}]\noperator: {blur: {gaussian: [0.6, 1, 0.8]}}\n"
      "noise: {model: poisson, gain: 0.01}\n" +
          tv,
      "measurements: [{file: volume.npy, axes: zyx}]\noperator: {blur: {gaussian: 0.7, border: "
      "replicate}}\nnoise: {model: poisson, gain: 0.01}\nsolver: {name: mlem, iterations: 5}\n",
      "measurements: [y.npy]\noperator: {space_varying_blur: {kernels: lens.npy, grid: [2, 2], "
      "border: reflect}}\n" +
          level + tv,
      "measurements: [small.npy]\noperator: [blur: {gaussian: 1, border: reflect}, down_sampling: "
      "{factor: 2}]\n" +
          level + tv,
      "measurements: [small.npy]\noperator: [blur: {gaussian: 0.7}, down_sampling: {factor: 3}]\n" +
          level + tv,
      "measurements: [{file: rgb.npy, axes: cyx}]\noperator: {blur: {gaussian: 1, border: "
      "circular}}\n" +
          level + "prior: drunet\nsolver: {iterations: 3}\n",
      "measurements: [{file: volume.npy, axes: zyx}]\noperator: {blur: {gaussian: 0.7}}\n" + level +
          "prior: drunet\nsolver: {name: pnp, iterations: 2}\n",
      "measurements: [y.npy]\noperator: {blur: {gaussian: 0.8, border: reflect}}\n" + level +
          "prior: {name: ridge, weight: 1}\nsolver: {iterations: 5}\n");
  const bool has_mask = config.find("mask") != std::string::npos;
  if (test::world()->size() > 2 && !has_mask) return;  // minutes where ranks share cores
  INFO(config);
  const SharedInputs inputs;
  const auto [boxed, whole] = inputs.restored(config, ".npy");
  if (!boxed.defined()) return;
  CHECK(boxed.sizes() == whole.sizes());
  CHECK(at::abs(boxed - whole).max().item<double>() <= 1e-6);
}

TEST_CASE("restore: ranks that share out the image find the same weight, and write TIFF files",
          "[restore]") {
  if (test::world()->size() > 2) return;  // a minute where ranks share cores
  const SharedInputs inputs;
  const auto [boxed, whole] = inputs.restored(
      "measurements: [deep.tif]\noperator: {blur: {gaussian: 0.8, border: replicate}}\n"
      "prior: tv\nsolver: {iterations: 10}\n",
      ".tif");
  if (!boxed.defined()) return;
  CHECK(boxed.sizes() == whole.sizes());
  // 16 bits: rounding may fall to the other side.
  CHECK(at::abs(boxed - whole).max().item<double>() <= 1);
}

TEST_CASE("restore: a checkpoint of a shared-out image goes on where it stood",
          "[restore][few_ranks]") {
  // Of tv, duals of the image and of both measurements are kept too.
  const std::string prior = GENERATE("{name: ridge, weight: 1}", "{name: tv, weight: 20}");
  const SharedInputs inputs;
  if (test::world()->is_root()) {
    test::write_bytes(inputs.file("c.yml"),
                      "measurements: [y.npy, y.npy]\n"
                      "operator: {blur: {gaussian: 0.8, border: reflect}}\n"
                      "noise: {level: 0.02}\noutput: o.npy\n"
                      "prior: " +
                          prior + "\nsolver: {iterations: 5}\n");
  }
  test::world()->barrier();
  restore::RunOrders orders{.config = inputs.file("c.yml"),
                            .distribute_image = true,
                            .threads = 1,
                            .checkpoint_every = 2,
                            .quiet = true};
  CHECK(restore::run(orders, test::world()) == 0);
  const tessera::Tensor first = tessera::read_npy(inputs.file("o.npy"));
  CHECK(std::filesystem::exists(inputs.file("o.npy.checkpoint.safetensors")));
  test::world()->barrier();
  if (test::world()->is_root()) std::filesystem::remove(inputs.file("o.npy"));
  test::world()->barrier();
  orders.resume = true;
  CHECK(restore::run(orders, test::world()) == 0);
  test::world()->barrier();
  CHECK(at::equal(tessera::read_npy(inputs.file("o.npy")), first));
}

TEST_CASE("restore: what is not offered on shared-out images ends all ranks", "[restore]") {
  const SharedInputs inputs;
  const auto [config, options] = GENERATE(table<std::string, restore::RunOrders>(
      {{"measurements: [y.npy]\noperator: {warp: {matrix: [[1, 0, 0.5], [0, 1, 0]]}}\n",
        restore::RunOrders{}},
       {"measurements: [y.npy]\noperator: {down_sampling: {factor: 2, shift: [0, 0.5]}}\n",
        restore::RunOrders{}},
       {"measurements: [y.npy]\nprior: wavelet\n", restore::RunOrders{}},
       {"measurements: [y.npy]\nprior: {name: tv, weight: auto}\n", restore::RunOrders{}},
       {"measurements: [y.npy]\n", restore::RunOrders{.report = "r.html"}},
       {"measurements: [y.npy]\n", restore::RunOrders{.output = "o.png"}},
       {"measurements: [no.png]\n", restore::RunOrders{}},
       {"measurements: [y.npy]\noperator: {blur: {gaussian: 30, border: reflect}}\n",
        restore::RunOrders{}}}));
  INFO(config);
  if (test::world()->is_root()) {
    test::write_bytes(inputs.file("c.yml"), config + "noise: {level: 0.02}\noutput: o.npy\n");
  }
  test::world()->barrier();
  restore::RunOrders orders = options;
  orders.config = inputs.file("c.yml");
  orders.distribute_image = true;
  orders.threads = 1;
  orders.quiet = true;
  CHECK(restore::run(orders, test::world()) == restore::wrong_input_code);
  test::check_in_step();
  CHECK(!std::filesystem::exists(inputs.file("o.npy")));
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
