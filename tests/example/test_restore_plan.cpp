// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "restore/pictures.hpp"
#include "restore/plan.hpp"
#include "restore_workplace.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/physics/poisson_noise.hpp"

using namespace restore;
using restoration::SolverKind;
using tessera::Tensor;

TEST_CASE("restore: what is left open follows from the files", "[restore]") {
  const Workplace workplace;
  SECTION("integers know their range, and are clamped to it") {
    Plan plan = workplace.plan(of_file("deep.tif"));
    CHECK(plan.white == 65535);
    CHECK(plan.samples == Samples::u16);
    CHECK(plan.method.range == std::pair(0.0, 1.0));
    CHECK(plan.method.solver == SolverKind::dpir);
    CHECK(plan.weight() == 0.23);
    CHECK_FALSE(plan.rule);
    CHECK(plan.type == at::kDouble);
  }
  SECTION("floating values of 0 to 1 are taken as they are") {
    const Plan plan = workplace.plan(of_file("float.npy"));
    CHECK(plan.white == 1);
    CHECK(plan.samples == Samples::f32);
    CHECK_FALSE(plan.method.range.has_value());
  }
  SECTION("a clamp and a level are in units of the file") {
    const Plan plan = workplace.plan(
        of_file("bytes.npy") + "image: {white: auto, clamp: [51, 102]}\nnoise: {level: 5.1}\n");
    CHECK(plan.white == 255);
    CHECK(plan.method.range->first == Approx(0.2));
    CHECK(plan.method.range->second == Approx(0.4));
    CHECK(plan.method.noise_level == Approx(0.02));
  }
  SECTION("measurements are weighted by their noise") {
    const Plan plan = workplace.plan(of_file(
        "{file: grey.png, noise: {level: 2}}, {file: grey.png, noise: {level: 4}, weight: 9}"));
    CHECK(plan.scales == std::vector{1.0, 1.5});
    CHECK(plan.method.noise_level == Approx(2.0 / 255));
    CHECK(plan.values == 640);
  }
  SECTION("counts") {
    const Plan plan = workplace.plan(
        of_file("grey.png, {file: grey.png, noise: {model: poisson, gain: 4, background: 6}}") +
        "noise: {model: poisson, gain: 2, background: 3}\n");
    CHECK(plan.method.solver == SolverKind::primal_dual);
    CHECK(plan.method.fidelity == restoration::FidelityKind::poisson);
    CHECK(plan.scales == std::vector{1.0, 0.5});
    CHECK(std::pow(plan.method.noise_level, 2) == Approx(2.0 / 255));
    CHECK(plan.method.background == Approx(3.0 / 255));
    CHECK(plan.rule == WeightRule::risk);
    CHECK(std::isinf(plan.method.range->second));
  }
  SECTION("a unit of one's own is that of the operator's norm, here 2") {
    const std::string list =
        of_file("two.npy") + "operator: {matrix: {file: rows.mtx}}\nimage: {white: 10}\n";
    const Plan counts = workplace.plan(list + "noise: {model: poisson, gain: 2, background: 3}\n");
    CHECK(counts.scales.front() == Approx(0.5).epsilon(0.01));
    CHECK(counts.method.background == Approx(0.5 * 3 / 10).epsilon(0.01));
    const Plan levels = workplace.plan(list + "noise: {level: 1}\nprior: tv\n");
    CHECK(levels.scales.front() == Approx(0.5).epsilon(0.01));
    CHECK(levels.method.noise_level == Approx(0.05).epsilon(0.01));
  }
  SECTION("counts that nothing is said of") {
    const auto write_counts = [&](const std::string& name, double gain, std::uint64_t seed) {
      Tensor scene = at::zeros({1, 1, 128, 128}, at::kDouble);
      scene.slice(2, 30, 90).slice(3, 40, 110) += 100 * gain;
      const Tensor counts =
          tessera::PoissonNoise({.gain = gain, .background = 20 * gain, .seed = seed}).add(scene);
      tessera::write_npy(workplace.file(name), counts[0][0]);
    };
    write_counts("a.npy", 3, 1);
    write_counts("b.npy", 3, 2);
    write_counts("one.npy", 1, 3);
    const std::string estimated = "noise: {model: poisson, gain: auto, background: auto}\n";
    const Plan plan = workplace.plan(of_file("a.npy, b.npy") + estimated);
    REQUIRE(plan.counts.size() == 2);
    CHECK(plan.counts[0].gain == Approx(3).epsilon(0.05));
    CHECK(plan.counts[0].background == Approx(60).epsilon(0.06));
    CHECK(plan.counts[1].gain == plan.counts[0].gain);
    CHECK(plan.counts[1].background == plan.counts[0].background);
    CHECK(table_of(plan).find("gain and background estimated") != std::string::npos);
    const Plan of_counts = workplace.plan(of_file("one.npy") + "noise: poisson\n");
    CHECK(of_counts.counts[0].gain == 1);
    CHECK(of_counts.counts[0].background == 0);
    CHECK(table_of(of_counts).find("gain estimated") != std::string::npos);
  }
  SECTION("the table tells all of it") {
    const std::string table = table_of(workplace.plan(
        of_file("{file: grey.png, noise: {level: 3}, weight: 2}") +
        "operator:\n  - blur: {gaussian: 0.5}\n  - down_sampling: {factor: 2, shift: [0.5, 0]}\n"));
    INFO(table);
    for (const char* part :
         {"image          16x16, 1 channel", "cut from the 20x20 that blurs see",
          "white          255",
          "measurement 1  grey.png, 8x8 8-bit, blur gaussian 0.5 (valid), down_sampling 2 moved "
          "0.5, 0; noise 3, weight 2  given",
          "prior weight   0.23", "default", "clamp          0 to 255"}) {
      CHECK(table.find(part) != std::string::npos);
    }
  }
}
