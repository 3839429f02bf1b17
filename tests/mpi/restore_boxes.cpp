// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/abs.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "failures.hpp"
#include "files.hpp"
#include "page_data.hpp"
#include "restore/pictures.hpp"
#include "restore/run.hpp"
#include "shared_folder.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/physics/noise.hpp"
#include "world.hpp"

using nlohmann::json;

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
                                   .report = file("boxed.html"),
                                   .distribute_image = true,
                                   .threads = 1,
                                   .quiet = true};
    CHECK(restore::run(boxed, test::world()) == 0);
    test::world()->barrier();
    if (!test::world()->is_root()) return {};
    restore::RunOrders whole = boxed;
    whole.output = file("whole" + output);
    whole.report = file("whole.html");
    whole.distribute_image = false;
    CHECK(restore::run(whole, tessera::self_communicator()) == 0);
    return {restore::read_picture(boxed.output, {.spatial = 2}).values,
            restore::read_picture(whole.output, {.spatial = 2}).values};
  }

  /// What the page of the run before says; for the first rank.
  json report_of(const std::string& name) const {
    return test::data_of(test::read_bytes(file(name + ".html")));
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
    tessera::write_npy(file("wide.npy"), noisy(scene.repeat({8, 7}), 6).slice(0, 1).slice(1, 3));
    tessera::write_npy(file("rgb.npy"), noisy(scene.expand({3, 40, 48}), 2));
    tessera::write_npy(file("small.npy"), noisy(scene.slice(0, 0, 24).slice(1, 0, 24), 3));
    tessera::write_npy(file("half.npy"), noisy(scene.slice(0, 0, 40, 2).slice(1, 0, 48, 2), 7));
    tessera::write_npy(file("volume.npy"),
                       noisy(scene.slice(0, 0, 24), 4).view({12, 24, 4}).repeat({1, 1, 6}));
    restore::write_picture(file("deep.tif"), 65535 * noisy(scene, 5).view({1, 1, 40, 48}),
                           restore::Samples::u16);
    restore::write_picture(file("grey.png"), 255 * noisy(scene, 8).view({1, 1, 40, 48}),
                           restore::Samples::u8);
    tessera::Tensor mask = at::ones({40, 48});
    mask.narrow(0, 10, 9).narrow(1, 20, 3).fill_(0);
    tessera::write_npy(file("mask.npy"), mask);
    restore::write_picture(file("mask.png"), 255 * mask.view({1, 1, 40, 48}), restore::Samples::u8);
    const tessera::Tensor kernels = at::linspace(1, 2, 4 * 9, at::kDouble).view({4, 3, 3});
    tessera::write_npy(file("lens.npy"), kernels / kernels.sum({1, 2}, true));
  }

  test::SharedFolder folder_;
};

/// The samples of a picture on a page.
std::vector<double> samples_of(const json& picture) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::size_t> bytes;
  std::size_t bits = 0;
  std::size_t count = 0;
  for (const char letter : picture.at("codes").get<std::string>()) {
    if (letter == '=') break;
    bits = (bits << 6U | digits.find(letter)) & 0xffffU;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(bits >> count & 255U);
  }
  const double low = picture.at("low");
  const double high = picture.at("high");
  std::vector<double> samples;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    samples.push_back(low +
                      static_cast<double>(bytes[i] + 256 * bytes[i + 1]) / 65535 * (high - low));
  }
  return samples;
}

/// The parts of both are the same: pictures to the last digit of their codes, numbers to 1e-4 of
/// the noise or 1, and histograms but for values between two bins.
void check_same(const json& boxed, const json& whole, const std::string& what,
                double tolerance = 1e-4) {
  INFO(what);
  REQUIRE(boxed.type_name() == std::string(whole.type_name()));
  REQUIRE(boxed.size() == whole.size());
  if (whole.is_object() && whole.contains("codes")) {
    const std::vector<double> ours = samples_of(boxed);
    const std::vector<double> theirs = samples_of(whole);
    REQUIRE(ours.size() == theirs.size());
    REQUIRE(ours.size() ==
            whole.at("channels").get<std::size_t>() * whole.at("slices").get<std::size_t>() *
                whole.at("rows").get<std::size_t>() * whole.at("columns").get<std::size_t>());
    const double step = (whole.at("high").get<double>() - whole.at("low").get<double>()) / 65535;
    double farthest = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      farthest = std::max(farthest, std::abs(ours[i] - theirs[i]));
    }
    CHECK(farthest <= 1.01 * step + tolerance);
  }
  if (whole.is_structured()) {
    for (const auto& [key, value] : whole.items()) {
      if (key == "codes" || key == "created" || key == "output" || key == "seconds") continue;
      check_same(whole.is_array() ? boxed.at(std::stoul(key)) : boxed.at(key), value,
                 what + "/" + key, key == "histogram" ? 0.01 : tolerance);
    }
  } else if (whole.is_number()) {
    const double expected = whole;
    CHECK(std::abs(boxed.get<double>() - expected) <=
          tolerance * std::max(1.0, std::abs(expected)));
  } else {
    CHECK(boxed == whole);
  }
}

void check_same_reports(const SharedInputs& inputs) {
  json boxed = inputs.report_of("boxed");
  json whole = inputs.report_of("whole");
  CHECK(boxed.at("plan").at(1).at(0) == "boxes");
  boxed.at("plan").erase(1);
  for (json* each : {&boxed, &whole}) {  // the last tells the memory, and another the output
    each->at("plan").erase(each->at("plan").size() - 1);
    for (json& row : each->at("plan")) {
      if (row.at(0) == "output") row.at(1) = "";
    }
  }
  check_same(boxed, whole, "");
}

}  // namespace

TEST_CASE("restore: ranks that share out the image restore the same", "[restore]") {
  const std::string tv = "prior: {name: tv, weight: 20}\nsolver: {iterations: 30}\n";
  const std::string level = "noise: {level: 0.02}\n";
  const std::string wavelets = "prior: {name: wavelet, weight: 5}\nsolver: {iterations: 5}\n";
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
      "measurements:\n  - {file: small.npy, operator: [blur: {gaussian: 0.7}, down_sampling: "
      "{factor: 2}]}\n"
      "  - {file: small.npy, operator: [blur: {gaussian: 0.7}, down_sampling: {factor: 2, shift: "
      "[0.3, -0.45]}]}\n" +
          level + tv,
      "measurements: [half.npy]\noperator: [mask: {file: mask.npy}, down_sampling: {factor: 2, "
      "shift: [-0.2, 0.1]}]\n" +
          level + tv,
      "measurements: [{file: rgb.npy, axes: cyx}]\noperator: {blur: {gaussian: 1, border: "
      "circular}}\n" +
          level + "prior: drunet\nsolver: {iterations: 3}\n",
      "measurements: [{file: volume.npy, axes: zyx}]\noperator: {blur: {gaussian: 0.7}}\n" + level +
          "prior: drunet\nsolver: {name: pnp, iterations: 2}\n",
      "measurements: [grey.png]\noperator: [blur: {gaussian: 0.8, border: reflect}, mask: {file: "
      "mask.png}]\nnoise: {level: 5}\n" +
          tv,
      "measurements: [y.npy]\noperator: {blur: {gaussian: 0.8, border: reflect}}\n" + level +
          "prior: {name: ridge, weight: 1}\nsolver: {iterations: 5}\n",
      "measurements: [y.npy]\noperator: {blur: {gaussian: 0.8, border: reflect}}\n" + level +
          wavelets,
      "measurements: [{file: volume.npy, axes: zyx}]\noperator: {blur: {gaussian: 0.7, border: "
      "replicate}}\n" +
          level + wavelets,
      "measurements:\n  - {file: y.npy, operator: {blur: {gaussian: 0.8, border: reflect}}}\n"
      "  - {file: y.npy, operator: [blur: {gaussian: 1, border: constant}, mask: {file: "
      "mask.npy}], noise: {level: 0.03}, weight: 0.7}\n" +
          level + "prior: {name: tv, weight: auto}\nsolver: {iterations: 20}\n",
      // Boxes at multiples of 8, and at those of 3 from a frame that begins at 4.
      "measurements: [small.npy]\noperator: [blur: {gaussian: 1}, down_sampling: {factor: 3}]\n" +
          level + wavelets);
  const bool is_for_many = config.find("weight: 0.7}\n" + tv) != std::string::npos;
  if (test::world()->size() > 2 && !is_for_many) return;  // minutes where ranks share cores
  INFO(config);
  const SharedInputs inputs;
  const auto [boxed, whole] = inputs.restored(config, ".npy");
  if (!boxed.defined()) return;
  CHECK(boxed.sizes() == whole.sizes());
  CHECK(at::abs(boxed - whole).max().item<double>() <= 1e-6);
  check_same_reports(inputs);
}

TEST_CASE("restore: pictures of a report are averaged where ranks have parts of the squares",
          "[restore][few_ranks]") {
  // Ten of them are more than a page shows; their sides are no multiples.
  const SharedInputs inputs;
  const auto [boxed, whole] = inputs.restored(
      "measurements: [wide.npy, wide.npy, wide.npy, wide.npy, wide.npy, wide.npy, wide.npy, "
      "wide.npy, wide.npy, wide.npy]\noperator: {blur: {gaussian: 0.8, border: reflect}}\n"
      "noise: {level: 0.02}\nprior: {name: tv, weight: 20}\nsolver: {iterations: 1}\n",
      ".npy");
  if (!boxed.defined()) return;
  const json picture = inputs.report_of("boxed").at("measurements").at(9).at("measured");
  CHECK(picture.at("shrunk") == 2);
  CHECK(picture.at("rows") == 159);
  CHECK(picture.at("columns") == 166);
  check_same_reports(inputs);
}

TEST_CASE("restore: ranks that share out the image find the same weight, and write TIFF files",
          "[restore]") {
  if (test::world()->size() > 2) return;  // a minute where ranks share cores
  const std::string prior = GENERATE("tv", "{name: tv, weight: auto}");
  const SharedInputs inputs;
  const auto [boxed, whole] = inputs.restored(
      "measurements: [deep.tif]\noperator: {blur: {gaussian: 0.8, border: replicate}}\n"
      "prior: " +
          prior + "\nsolver: {iterations: 10}\n",
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
       {"measurements: [small.npy]\noperator: [blur: {gaussian: 0.7}, down_sampling: {factor: 2}]\n"
        "prior: wavelet\n",
        restore::RunOrders{}},
       {"measurements: [y.npy]\n", restore::RunOrders{.report = "r.txt"}},
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
