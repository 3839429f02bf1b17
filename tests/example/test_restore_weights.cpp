// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cmath>
#include <string>

#include "catch.hpp"
#include "files.hpp"
#include "restore/weight_search.hpp"
#include "restore_quality.hpp"

using namespace restore;

namespace {

/// The photograph with total variation of this weight.
double photograph_with(const std::string& weight) {
  const test::TemporaryFolder folder;
  const std::string config = folder.file("c.yml");
  test::write_bytes(config, "measurements: [" + shared_file("photo.png") +
                                "]\noperator: {blur: {kernel: " + shared_file("psf.tif") +
                                ", normalise: true}}\nnoise: {level: 3}\noutput: o.png\n" +
                                "prior: {name: tv, weight: " + weight +
                                "}\nsolver: {iterations: 80}\n");
  return quality_of(config, "o.png", "truth.png", 255);
}

}  // namespace

TEST_CASE("restore: the weight with which residuals are as large as the noise", "[restore]") {
  int calls = 0;
  const auto search = [&](double first, double power, double offset) {
    return find_weight_of_misfit(first, [&, power, offset](double weight) {
      ++calls;
      return offset + std::pow(weight / 100, power);
    });
  };
  SECTION("from below, from above, on a flat curve") {
    const auto [first, power, offset] = GENERATE(table<double, double, double>(
        {{1, 0.5, 0}, {5000, 0.5, 0}, {100, 1, 0}, {1, 3, 0.5}, {3000, 0.1, 0.2}}));
    const FoundWeight found = search(first, power, offset);
    CHECK(found.fits);
    CHECK(found.trials == calls);
    CHECK(calls <= 13);
    CHECK(offset + std::pow(found.weight / 100, power) == Approx(1).margin(0.02));
  }
  SECTION("there is none") {
    const FoundWeight found = search(7, 1, 3);
    CHECK_FALSE(found.fits);
    CHECK(found.weight == 7);
  }
}

TEST_CASE("restore: the weight with the least of something", "[restore]") {
  const auto search = [](double first, double best) {
    return find_weight_of_least(
        first, [=](double weight) { return std::pow(std::log(weight / best), 2); });
  };
  const double first = GENERATE(2.0, 40.0, 100.0, 120.0, 2000.0);
  const FoundWeight found = search(first, 100);
  CHECK(found.fits);
  CHECK(std::abs(std::log2(found.weight / 100)) <= 0.126);
  CHECK_FALSE(search(0.01, 100).fits);
  CHECK(search(0.01, 100).weight == 0.01);
}

TEST_CASE("restore: weights that are found are near the best one", "[restore]") {
  const double best = std::max({photograph_with("5"), photograph_with("7"), photograph_with("10")});
  CHECK(photograph_with("risk") > best - 0.1);
  CHECK(photograph_with("auto") > best - 0.8);
  CHECK(photograph_with("discrepancy") > best - 0.8);
}
