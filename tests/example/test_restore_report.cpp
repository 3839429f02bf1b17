// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/fft_fft2.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "files.hpp"
#include "page_data.hpp"
#include "restore/pictures.hpp"
#include "restore/report.hpp"
#include "restore/run.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/physics/noise.hpp"

using nlohmann::json;
using tessera::Tensor;

namespace {

std::string data_file(const std::string& name) {
  return std::string(TESSERA_TEST_DATA) + "/restore/" + name;
}

const std::string photograph = "measurements: [" + data_file("photo.png") +
                               "]\noperator: {blur: {kernel: " + data_file("psf.tif") +
                               ", normalise: true}}\nnoise: {level: 3}\n";

/// Runs a configuration without its output, which is `o.tif`, and its report, `o.html`.
class Reported {
 public:
  explicit Reported(const std::string& config) {
    test::write_bytes(folder_.file("c.yml"), config + "output: o.tif\nreport: o.html\n");
    REQUIRE(restore::run({.config = folder_.file("c.yml"), .threads = 1, .quiet = true},
                         tessera::self_communicator()) == 0);
    CHECK(folder_.entry_count() == 3);
    page = test::read_bytes(folder_.file("o.html"));
    data = test::data_of(page);
    restored = restore::read_picture(folder_.file("o.tif")).values;
  }

  std::string page;
  json data;
  Tensor restored;

 private:
  test::TemporaryFolder folder_;
};

/// The value that stands first in a picture of a page.
double first_value(const json& picture) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string codes = picture.at("codes");
  std::size_t bits = 0;
  for (std::size_t i = 0; i < 4; ++i) bits = bits << 6U | digits.find(codes[i]);
  const auto code = static_cast<double>((bits >> 16U & 255U) + 256 * (bits >> 8U & 255U));
  const double low = picture.at("low");
  const double high = picture.at("high");
  return low + code / 65535 * (high - low);
}

double sum_of(const json& numbers) {
  double sum = 0;
  for (const json& each : numbers) sum += each.get<double>();
  return sum;
}

}  // namespace

TEST_CASE("restore report: a picture, what is left of it, and the plan", "[restore]") {
  const Reported run(photograph + "prior: {name: tv, weight: 40}\nsolver: {iterations: 20}\n");
  const json& data = run.data;
  CHECK(data.at("restored").at("channels") == 3);
  CHECK(data.at("restored").at("slices") == 1);
  CHECK(data.at("restored").at("rows") == 64);
  CHECK(data.at("restored").at("shrunk") == 1);
  CHECK_THAT(first_value(data.at("restored")),
             Catch::Matchers::WithinAbs(run.restored.flatten()[0].item<double>(), 0.51));
  CHECK(data.at("window") == json({0.0, 255.0}));
  REQUIRE(data.at("measurements").size() == 1);
  const json& measurement = data.at("measurements").at(0);
  CHECK(measurement.at("file") == "photo.png");
  const json& measured = measurement.at("measured");
  const Tensor photo = restore::read_picture(data_file("photo.png")).values;
  CHECK_THAT(first_value(measured),
             Catch::Matchers::WithinAbs(photo.flatten()[0].item<double>(), 0.003));
  CHECK_THAT(measurement.at("level").get<double>(), Catch::Matchers::WithinRel(3.0, 1e-9));
  CHECK_THAT(measurement.at("share_of_noise").get<double>(),
             Catch::Matchers::WithinRel(std::sqrt(data.at("misfit").get<double>()), 1e-6));
  CHECK(measurement.at("whiteness").get<double>() > 0.5);
  CHECK_THAT(sum_of(measurement.at("histogram")) * 0.25, Catch::Matchers::WithinAbs(1, 1e-9));
  CHECK(data.at("changes").size() == 20);
  CHECK(data.at("plan").at(0).at(0) == "image");
  CHECK(data.at("plan").size() == 10);
  // What a picture does not have, or what was not searched.
  CHECK(!data.contains("restored_maximum"));
  CHECK(!measurement.contains("measured_maximum"));
  CHECK(data.at("trials").empty());
  CHECK(data.at("weight").is_null());
  // Nothing from elsewhere, and no plotly.js.
  CHECK(run.page.find("src=\"http") == std::string::npos);
  CHECK(run.page.size() < 400'000);
}

TEST_CASE("restore report: a volume has slices and their maximum", "[restore]") {
  const Reported run("measurements: [" + data_file("cells.tif") +
                     "]\noperator: {blur: {kernel: " + data_file("objective.tif") +
                     ", normalise: true}}\nnoise: {model: poisson, background: 400}\n"
                     "prior: {name: tv, weight: 15}\nsolver: {iterations: 2}\n");
  const json& data = run.data;
  CHECK(data.at("restored").at("slices") == 16);
  CHECK(data.at("restored_maximum").at("slices") == 1);
  CHECK_THAT(data.at("restored_maximum").at("high").get<double>(),
             Catch::Matchers::WithinAbs(run.restored.max().item<double>(), 0.51));
  CHECK(data.at("window").is_null());
  const json& measurement = data.at("measurements").at(0);
  CHECK(measurement.at("measured").at("slices") == 16);
  CHECK(measurement.at("measured_maximum").at("slices") == 1);
  CHECK(measurement.at("residual").at("slices") == 16);
  CHECK(measurement.at("background") == 400);
  const Tensor counts = restore::read_picture(data_file("cells.tif")).values;
  CHECK(measurement.at("measured").at("low").get<double>() == counts.min().item<double>() - 400);
  CHECK(!measurement.contains("level"));  // that of counts is not one
}

TEST_CASE("restore report: the search for a weight", "[restore]") {
  const Reported run(photograph + "prior: {name: tv, weight: auto}\nsolver: {iterations: 3}\n");
  const json& found = run.data.at("weight");
  CHECK(run.data.at("trials").size() == found.at("trials").get<std::size_t>());
  CHECK(run.data.at("trials").at(0).at(1).get<double>() > 0);
  CHECK(found.at("fits") == false);  // nothing does, in so few iterations
  CHECK(run.data.at("changes").size() == 3);
}

TEST_CASE("restore report: neither weights nor masks count as noise", "[restore]") {
  const test::TemporaryFolder folder;
  Tensor mask = at::ones({40, 50});
  mask.slice(1, 0, 25).zero_();
  tessera::write_npy(folder.file("mask.npy"), mask);
  const Tensor flat = at::full({1, 1, 40, 50}, 0.5);
  Tensor noisy = tessera::GaussianNoise(0.02, 1).add(flat);
  noisy[0][0][7][30] = 0.66;  // eight standard deviations
  noisy[0][0][31][42] = 0.34;
  tessera::write_npy(folder.file("noisy.npy"), noisy[0][0]);
  const Reported run("measurements:\n  - {file: " + folder.file("noisy.npy") +
                     ", operator: {mask: {file: " + folder.file("mask.npy") +
                     "}}, weight: 4}\nnoise: {level: 0.02}\n"
                     "prior: {name: tv, weight: 4000}\nsolver: {iterations: 100}\n");
  const json& measurement = run.data.at("measurements").at(0);
  CHECK_THAT(measurement.at("level").get<double>(), Catch::Matchers::WithinRel(0.02, 1e-6));
  CHECK_THAT(measurement.at("share_of_noise").get<double>(), Catch::Matchers::WithinAbs(1, 0.1));
  // Where all is hidden, residuals are 0, whose bin would have half of all.
  const json& histogram = measurement.at("histogram");
  CHECK(histogram.at(20).get<double>() < 0.6);
  // One of 1000 values beyond each end, which is drawn no further, and the mean of all.
  CHECK(measurement.at("residual").at("low") == -4.0);
  CHECK(measurement.at("residual").at("high") == 4.0);
  REQUIRE(histogram.size() == 40);
  CHECK_THAT(histogram.front().get<double>() * 0.25, Catch::Matchers::WithinAbs(1e-3, 1e-9));
  CHECK_THAT(histogram.back().get<double>() * 0.25, Catch::Matchers::WithinAbs(1e-3, 1e-9));
  double mean = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    mean += (-4.875 + 0.25 * static_cast<double>(i)) * 0.25 * histogram.at(i).get<double>();
  }
  CHECK_THAT(mean, Catch::Matchers::WithinAbs(0, 0.1));
  CHECK(run.data.at("restored").at("channels") == 1);
}

TEST_CASE("restore report: coefficients are complex, and where none is measured is no noise",
          "[restore]") {
  const test::TemporaryFolder folder;
  Tensor mask = at::ones({32, 32});
  mask.slice(0, 1, {}, 2).zero_();
  tessera::write_npy(folder.file("mask.npy"), mask);
  const Tensor flat = at::full({32, 32}, 0.5, at::kDouble);
  const Tensor noisy = tessera::GaussianNoise(0.02, 1).add(
      at::fft_fft2(flat, {}, {-2, -1}, "ortho").view({1, 1, 32, 32}));
  tessera::write_npy(folder.file("k.npy"), (noisy * mask)[0][0]);
  const Reported run("measurements: [" + folder.file("k.npy") +
                     "]\noperator: {fourier: {mask: " + folder.file("mask.npy") +
                     "}}\nnoise: {level: 0.02}\nimage: {white: 1}\n"
                     "prior: {name: tv, weight: 4000}\nsolver: {iterations: 100}\n");
  const json& measurement = run.data.at("measurements").at(0);
  CHECK(measurement.at("measured").at("channels") == 1);
  CHECK(measurement.at("measured").at("high") == 1);
  CHECK(measurement.at("residual").at("channels") == 2);
  CHECK_THAT(measurement.at("share_of_noise").get<double>(), Catch::Matchers::WithinAbs(1, 0.1));
}

TEST_CASE("restore report: large images are averaged until they fit", "[restore]") {
  const test::TemporaryFolder folder;
  const Tensor flat = at::full({1, 1, 1500, 1600}, 0.5);
  tessera::write_npy(folder.file("x.npy"), tessera::GaussianNoise(0.02, 1).add(flat)[0][0]);
  const Reported run("measurements: [" + folder.file("x.npy") +
                     "]\nnoise: {level: 0.02}\nprior: {name: tv, weight: 4000}\n"
                     "solver: {iterations: 20, precision: single}\n");
  CHECK(run.data.at("restored").at("shrunk") == 2);
  CHECK(run.data.at("restored").at("rows") == 750);
  const json& residual = run.data.at("measurements").at(0).at("residual");
  CHECK(residual.at("shrunk") == 2);
  CHECK(residual.at("low").get<double>() < -3);  // as large as the noise was before
  CHECK(run.page.size() < 12'000'000);
}

TEST_CASE("restore report: noise in several channels is as white as in one", "[restore]") {
  const test::TemporaryFolder folder;
  const Tensor flat = at::full({1, 3, 40, 50}, 0.5);
  tessera::write_npy(folder.file("x.npy"), tessera::GaussianNoise(0.02, 1).add(flat)[0]);
  const Reported run("measurements: [{file: " + folder.file("x.npy") +
                     ", axes: cyx}]\nnoise: {level: 0.02}\nprior: {name: tv, weight: 4000}\n"
                     "solver: {iterations: 100}\n");
  CHECK_THAT(run.data.at("measurements").at(0).at("whiteness").get<double>(),
             Catch::Matchers::WithinAbs(1, 0.1));
}

TEST_CASE("restore report: names that no page can have", "[restore]") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_WITH(restore::check_report(folder.file("o.txt")),
                    "expected a name that ends in .html, got " + folder.file("o.txt"));
  CHECK_THROWS_WITH(restore::check_report(folder.file("no/o.html")),
                    "there is no folder " + folder.file("no"));
  CHECK(restore::run({.config = data_file("photo.yml"),
                      .output = folder.file("o.png"),
                      .report = folder.file("o.txt"),
                      .quiet = true},
                     tessera::self_communicator()) == restore::wrong_input_code);
  CHECK(folder.entry_count() == 0);
}
