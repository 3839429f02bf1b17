// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/fft_fft2.h>
#include <ATen/ops/fft_ifft2.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/real.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "files.hpp"
#include "restore/config.hpp"
#include "restore/matrix_market.hpp"
#include "restore/operators.hpp"
#include "restore/pictures.hpp"
#include "restore/plan.hpp"
#include "restore/run.hpp"
#include "restore/weight_search.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/io/tiff_stack.hpp"
#include "tessera/metric/psnr.hpp"
#include "tessera/physics/noise.hpp"
#include "tessera/physics/poisson_noise.hpp"

using namespace restore;
using restoration::SolverKind;
using tessera::Tensor;

namespace {

/// A folder of pictures as people have them, and what becomes of configurations in it.
class Workplace {
 public:
  Workplace() {
    const Tensor ramp = (at::arange(64, at::kFloat) / 63).square().view({1, 1, 8, 8});
    tessera::write_image(folder_.file("grey.png"), ramp);
    tessera::write_image(folder_.file("deep.tif"), ramp, {.samples = tessera::SampleType::u16});
    tessera::write_image(folder_.file("colour.png"), ramp.expand({1, 3, 8, 8}));
    tessera::write_image(folder_.file("small.png"), ramp.slice(2, 0, 4));
    tessera::write_npy(folder_.file("float.npy"), ramp[0][0]);
    tessera::write_npy(folder_.file("bytes.npy"), (255 * ramp)[0][0]);
    Tensor broken = ramp[0][0].clone();
    broken[1][2] = std::numeric_limits<float>::quiet_NaN();
    tessera::write_npy(folder_.file("nan.npy"), broken);
    tessera::write_npy(folder_.file("negative.npy"), ramp[0][0] - 0.5);
    tessera::write_npy(folder_.file("flat.npy"), at::full({8, 8}, 0.5));
    tessera::write_npy(folder_.file("last.npy"), at::zeros({8, 8, 3}));
    tessera::write_npy(folder_.file("psf.npy"), at::full({3, 3}, 1.0 / 9));
    tessera::write_npy(folder_.file("psf3.npy"), at::full({3, 3, 3}, 1.0 / 27));
    tessera::write_npy(folder_.file("psf_of_2.npy"), at::full({3, 3}, 2.0 / 9));
    tessera::write_npy(folder_.file("wide_psf.npy"), at::full({17, 17}, 1.0 / 289));
    tessera::write_npy(folder_.file("nothing.npy"), at::zeros({3, 3}));
    tessera::write_npy(folder_.file("mask.npy"), at::ones({8, 8}));
    tessera::write_npy(folder_.file("mask_of_2.npy"), at::full({8, 8}, 2.0));
    tessera::write_tiff_stack(folder_.file("stack.tif"),
                              at::arange(320, at::kFloat).view({5, 8, 8}),
                              {.samples = tessera::SampleType::u16});
    test::write_bytes(folder_.file("text.png"), "no picture");
    tessera::write_npy(folder_.file("two.npy"), at::arange(2, at::kDouble));
    tessera::write_npy(folder_.file("k.npy"), at::ones({8, 8}, at::kComplexFloat));
    Tensor late = at::ones({8, 8});
    late[0][0] = 0;
    tessera::write_npy(folder_.file("late.npy"), late);
    write_matrix("rows.mtx", "general\n%\n2 64 3\n1 1 0.5\n2 64 -2\n1 1 1e0\n");
    write_matrix("mirrored.mtx", "symmetric\n64 64 2\n3 3 2\n9 2 5\n\n");
    write_matrix("oblong.mtx", "general\n2 63 1\n1 1 1\n");
    write_matrix("zeros.mtx", "general\n2 64 0\n");
    write_matrix("short.mtx", "general\n2 64 2\n1 1 1\n");
    write_matrix("long.mtx", "general\n2 64 1\n1 1 1\n1 1 1\n");
    write_matrix("beyond.mtx", "general\n2 64 1\n3 1 1\n");
    write_matrix("words.mtx", "general\n2 64 1\n1 1 one\n");
    write_matrix("skew.mtx", "skew-symmetric\n2 64 1\n1 1 1\n");
  }

  std::string file(const std::string& name) const { return folder_.file(name); }

  Plan plan(const std::string& text) const {
    const Config config = parse_config(text, file("c.yml"));
    std::vector<LoadedMeasurement> loaded;
    std::vector<Facts> facts;
    for (const Measurement& each : config.measurements) {
      loaded.push_back(load(each));
      facts.push_back(facts_of(each, loaded.back()));
    }
    Plan made = make_plan(config, facts);
    check_output(config.output, made.samples, made.image);
    for (std::size_t i = 0; i < loaded.size(); ++i) {
      make_operator(config.measurements[i], loaded[i], at::zeros(made.image, at::kFloat));
    }
    return made;
  }

  /// What is said against a configuration, the folder left out; "accepted" if nothing is.
  std::string complaint(const std::string& text) const {
    try {
      plan(text);
    } catch (const tessera::error::Error& error) {
      std::string message = error.what();
      for (std::size_t at = message.find(folder_.path()); at != std::string::npos;
           at = message.find(folder_.path())) {
        message.erase(at, folder_.path().size() + 1);
      }
      return message;
    }
    return "accepted";
  }

 private:
  void write_matrix(const std::string& name, const std::string& rest) const {
    test::write_bytes(folder_.file(name), "%%MatrixMarket matrix coordinate real " + rest);
  }

  test::TemporaryFolder folder_;
};

const std::string output = "output: o.tif\n";

std::string of_file(const std::string& file) {
  return "measurements: [" + file + "]\n" + output;
}

std::string with(const std::string& lines) {
  return of_file("grey.png") + lines + "\n";
}

std::string with_operator(const std::string& one) {
  return with("operator: " + one);
}

std::string list_with(const std::string& matrix) {
  return of_file("two.npy") + "operator: {matrix: " + matrix + "}\n";
}

std::string scan_with(const std::string& parameters) {
  return with_operator("{tomography: " + parameters + "}");
}

std::string coefficients_with(const std::string& parameters) {
  return of_file("k.npy") + "operator: {fourier: " + parameters + "}\n";
}

std::string shared_file(const std::string& name) {
  return std::string(TESSERA_TEST_DATA) + "/restore/" + name;
}

/// What a run of a configuration restores, against the shared truth: PSNR in dB. `white` is what is
/// white in the restored file, unless its type says it, and `truth_white` in the true one.
double quality_of(const std::string& config, const std::string& name, const std::string& truth,
                  double white, double truth_white = 0) {
  const test::TemporaryFolder folder;
  const RunOrders orders{
      .config = config, .output = folder.file(name), .threads = 1, .quiet = true};
  REQUIRE(run(orders, tessera::self_communicator()) == 0);
  CHECK(folder.entry_count() == 1);
  const Tensor expected = read_picture(truth.starts_with('/') ? truth : shared_file(truth)).values /
                          (truth_white > 0 ? truth_white : white);
  const Picture written = read_picture(orders.output);
  const Tensor restored =
      written.values / (truth_white > 0 ? white : written.white.value_or(white));
  return tessera::psnr(restored.clamp(0, 1).to(at::kFloat), expected.to(at::kFloat)).item<double>();
}

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

TEST_CASE("restore: every wrong input is one sentence with file and key", "[restore]") {
  const Workplace workplace;
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      // The configuration.
      {"", "c.yml: is empty, expected keys and values"},
      {"[1", "c.yml:1:1: not YAML"},
      {"measurement: [grey.png]",
       "c.yml:1:1: unknown key \"measurement\"; the nearest known one is \"measurements\""},
      {output, "c.yml: there is no key \"measurements\""},
      {"measurements: [grey.png]", "c.yml: there is no key \"output\""},
      {"measurements: grey.png\n" + output,
       "c.yml:1:15: measurements: expected a list, got \"grey.png\""},
      {"measurements: []\n" + output, "measurements: expected a list, got a list of 0"},
      {"measurements: [{weight: 2}]\n" + output,
       "c.yml:1:16: measurement 1: there is no key \"file\""},
      {"measurements: [{file: grey.png, weigh: 2}]\n" + output,
       "c.yml:1:33: unknown measurement 1: key \"weigh\"; the nearest known one is \"weight\""},
      {"measurements: [{file: grey.png, weight: 0}]\n" + output,
       "c.yml:1:41: weight: is 0, expected more than zero"},
      {with("output: p.tif"), "key \"output\" is there twice"},
      {with("noise: salt"), "c.yml:3:8: unknown noise \"salt\"; the nearest known one is"},
      {with("noise: {model: poisson, level: 1}"),
       "c.yml:3:8: noise: level is for the model gaussian"},
      {with("noise: {gain: 1}"), "noise: gain is for the model poisson"},
      {with("noise: {level: 300}"),
       "c.yml:3:8: noise: level: is 300, more than the values of grey.png differ"},
      {with("noise: poisson\noperator: {mask: {file: mask.npy}}"),
       "grey.png: the gain of what a mask hides, of one row or column, of a shared-out image or of "
       "nothing but zeros "
       "cannot be estimated; give noise: {model: poisson, gain: ...}"},
      {with("noise: {model: poisson, gain: -1}"), "gain: is -1, expected more than zero"},
      {with("noise: {level: much}"),
       "level: expected a finite number like 0.1, or auto, got \"much\""},
      {with("image: {white: 0}"), "white: is 0, expected more than zero"},
      {with("image: {clamp: [1, 0]}"), "clamp: is [1, 0], expected [low, high], low < high"},
      {with("image: {clamp: 1}"), "clamp: expected [low, high] or none, got \"1\""},
      {with("prior: bm3d"), "c.yml:3:8: unknown prior \"bm3d\""},
      {with("solver: {iterations: 0}"), "iterations: is 0, expected 1 to"},
      {with("solver: {precision: half}"), "c.yml:3:21: unknown precision \"half\""},
      {with("prior: {weight: morozov}"),
       "weight: expected a finite number like 0.1, or auto, got \"morozov\""},
      {with("solver: gradient"), "unknown solver \"gradient\""},
      // Operators.
      {with_operator("blurs"),
       "c.yml:3:11: unknown operator \"blurs\"; the nearest known one is \"blur\""},
      {with_operator("blur"), "operator: blur needs parameters"},
      {with_operator("{blur: {}, mask: {}}"),
       "operator: expected one operator or a list of them, each with its parameters, got 2 keys"},
      {with_operator("{blur: {}}"),
       "blur: expected kernel, a file, or gaussian, a standard deviation in pixels, got neither"},
      {with_operator("{blur: {gaussian: 1, kernel: psf.npy}}"), "got both"},
      {with_operator("{blur: {gaussian: 1, border: mirror}}"), "unknown border \"mirror\""},
      {with_operator("{blur: {kernel: no.npy}}"),
       "c.yml:3:11: operator: blur: read_npy: no.npy: cannot open"},
      {with_operator("{blur: {kernel: psf_of_2.npy}}"),
       "operator: blur: psf_of_2.npy: the kernel sums to 2, expected 1; \"normalise: true\" "
       "divides it by its sum"},
      {with_operator("{blur: {kernel: nothing.npy, normalise: true}}"),
       "nothing.npy: sums to 0, expected more than zero"},
      {with_operator("{blur: {kernel: psf3.npy}}"),
       "psf3.npy: has 3 channels, expected 1 or the measurement's 1"},
      {with_operator("{blur: {kernel: wide_psf.npy, border: reflect}}"),
       "measurement 1: blur.forward: x is [1, 1, 8, 8] float32 on cpu, too small for the kernel"},
      {with_operator("{down_sampling: {factor: 0}}"), "factor: is 0, expected 1 to 64"},
      {with_operator("{down_sampling: {factor: 2, shift: 1}}"),
       "shift: expected a list of 2 numbers, got \"1\""},
      {with_operator("{mask: {}}"), "operator: mask: there is no key \"file\""},
      {with_operator("{mask: {file: small.png}}"),
       "small.png: the mask has 8x4 pixels, expected 8x8"},
      {with_operator("{mask: {file: mask_of_2.npy}}"),
       "mask_of_2.npy: a mask reaches from 0, not measured, to 1, this one from 2 to 2"},
      {with_operator("{mask: {file: nothing.npy}}"), "nothing.npy: the mask is 0 everywhere"},
      {with_operator("{warp: {matrix: [[1, 0, 0]]}}"),
       "matrix: expected two rows of three numbers"},
      {with_operator("{warp: {}}"), "operator: warp: there is no key \"matrix\""},
      // Files.
      {of_file("no.png"), "c.yml:1:16: measurement 1: read_image: no.png: cannot open"},
      {of_file("text.png"),
       "measurement 1: read_image: text.png: is not a PNG, JPEG or TIFF image"},
      {of_file("last.npy"),
       "last.npy: holds [8, 8, 3], which looks like channels in the last axis: give axes: yxc"},
      // Volumes.
      {of_file("psf3.npy"),
       "psf3.npy: holds [3, 3, 3], 3 channels or 3 slices: give axes: cyx or axes: zyx"},
      {of_file("{file: stack.tif, axes: cyz}"),
       "c.yml:1:40: axes: expected y, x and what else the file has of z (slices) and c (channels)"},
      {of_file("{file: stack.tif, axes: czyx}"),
       "stack.tif: holds [5, 8, 8], expected 4 axes, as axes: czyx says"},
      {of_file("{file: grey.png, dataset: image}"), "grey.png: dataset is for HDF5 files"},
      {of_file("stack.tif") + "prior: dncnn\n",
       "c.yml:3:8: prior: no weights of dncnn are installed: give weights, a file"},
      {of_file("stack.tif") + "noise: {level: 1}\nprior: wavelet\n",
       "prior: wavelet halves the sides of the image, which is 8x8x5: give tv, or cut"},
      {of_file("stack.tif") + "operator: {down_sampling: {factor: 2}}\n",
       "operator: down_sampling: is for pictures, and the file holds a volume"},
      {of_file("stack.tif") + "operator: {blur: {gaussian: [1, 2]}}\n",
       "operator: blur: gaussian: has 2 numbers, expected 1 or 3"},
      {of_file("stack.tif") + "operator: {mask: {file: mask.npy}}\nnoise: {level: 1}\n",
       "mask.npy: the mask has 8x8x1 pixels, expected 8x8x5"},
      {"measurements: [stack.tif]\nnoise: {level: 1}\noutput: o.png",
       "o.png: .png cannot hold a volume; give a name that ends in .tif, .npy, .fits or .h5"},
      // Blurs that vary.
      {with_operator("{space_varying_blur: {kernels: psf.npy}}"),
       "operator: space_varying_blur: there is no key \"grid\""},
      {with_operator("{space_varying_blur: {kernels: psf3.npy, grid: [0, 1]}}"),
       "grid: is 0, expected 1 to 1024"},
      {with_operator("{space_varying_blur: {kernels: psf3.npy, grid: [2, 2]}}"),
       "psf3.npy: holds 3 kernels, expected 2 x 2, as grid says"},
      {with_operator("{space_varying_blur: {kernels: psf3.npy, grid: [3, 1]}}"),
       "psf3.npy: the kernel sums to 0.333333, expected 1"},
      // Matrices.
      {list_with("{}"), "operator: matrix: there is no key \"file\""},
      {list_with("{file: rows.mtx, shape: 8}"),
       "shape: expected [rows, columns] or [slices, rows, columns], got \"8\""},
      {list_with("{file: rows.mtx, shape: [0, 8]}"), "shape: is 0, expected 1 to"},
      {list_with("{file: no.mtx}"), "c.yml:3:11: operator: matrix: no.mtx: cannot open"},
      {list_with("{file: two.npy}"),
       "two.npy:1: expected \"%%MatrixMarket matrix coordinate real general\""},
      {list_with("{file: skew.mtx}"), "skew.mtx:1: expected"},
      {list_with("{file: short.mtx}"), "short.mtx:3: ends, expected row, column and value"},
      {list_with("{file: long.mtx}"), "long.mtx:4: goes on after its 1 entries"},
      {list_with("{file: words.mtx}"),
       "words.mtx:3: expected row, column and value, three numbers"},
      {list_with("{file: beyond.mtx}"),
       "beyond.mtx:3: the entry 1 at (3, 1) is not finite, or not in a matrix of 2 x 64"},
      {list_with("{file: zeros.mtx}"), "measurement 1: the operator makes zeros of all images"},
      {with_operator("{matrix: {file: rows.mtx}}"),
       "operator: matrix: rows.mtx: has 2 rows, expected 64, one for each value of the"},
      {list_with("{file: oblong.mtx}"),
       "oblong.mtx: has 63 columns, which are no square picture: give shape"},
      {list_with("{file: rows.mtx, shape: [4, 4]}"),
       "rows.mtx: has 64 columns, which are not the pixels of 4x4: give shape"},
      {with_operator("[{matrix: {file: rows.mtx}}, {mask: {file: mask.npy}}]"),
       "c.yml:3:11: operator: expected matrix and fourier as the last step"},
      {list_with("{file: rows.mtx}") + "noise: {level: 1}\n",
       "c.yml: white: two.npy is measured in a unit of its own: give image: {white: ...}"},
      {list_with("{file: rows.mtx}") + "image: {white: 1}\n",
       "two.npy: the noise of what a mask hides, or of one row or column, cannot be estimated"},
      {list_with("{file: rows.mtx}") +
           "image: {white: 1}\nnoise: {level: 1}\nprior: {name: tv, weight: auto}\n",
       "prior: weight: auto looks at what pictures and volumes leave, and two.npy is a list"},
      // Scans.
      {scan_with("{}"), "operator: tomography: there is no key \"angles\""},
      {scan_with("{angles: {from: 0}}"), "angles: there is no key \"count\""},
      {scan_with("{angles: {count: 0}}"), "count: is 0, expected 1 to"},
      {scan_with("{angles: [0, x]}"), "angles: expected a finite number like 0.1, got \"x\""},
      {scan_with("{angles: [0], spacing: 0}"), "spacing: is 0, expected more than zero"},
      {scan_with("{angles: [0], shape: [1, 2, 3]}"),
       "shape: expected [rows, columns], got a list of 3"},
      {scan_with("{angles: [0, 90, 120]}"),
       "operator: tomography: the file has 8 rows, expected 3, a view for each of angles"},
      {of_file("stack.tif") + "operator: {tomography: {angles: {count: 8}}}\n",
       "operator: tomography: is for pictures, and the file holds a volume"},
      {scan_with("{angles: {count: 8}}"), "white: grey.png is measured in a unit of its own"},
      // Fourier coefficients.
      {coefficients_with("{}"), "operator: fourier: there is no key \"mask\""},
      {coefficients_with("{mask: no.npy}"), "operator: fourier: read_npy: no.npy: cannot open"},
      {coefficients_with("{mask: mask_of_2.npy}"), "fourier: mask_of_2.npy: a mask reaches from 0"},
      {coefficients_with("{mask: late.npy}"),
       "fourier: late.npy: does not measure the frequency 0, its first value: expected the order"},
      {coefficients_with("{mask: psf.npy}"), "psf.npy: the mask has 3x3 pixels, expected 8x8"},
      {of_file("float.npy") + "operator: {fourier: {mask: mask.npy}}\n",
       "float.npy: holds real numbers, expected complex ones, Fourier coefficients"},
      {of_file("k.npy"), "k.npy: holds complex numbers, expected real ones"},
      {coefficients_with("{mask: mask.npy}") + "image: {white: 1}\n",
       "k.npy: the noise of what a mask hides"},
      {of_file("nan.npy"),
       "measurement 1: nan.npy: the file has 1 of 64 values that are not finite, the first is nan "
       "at [0, 0, 1, 2]"},
      {of_file("negative.npy") + "noise: poisson\n",
       "negative.npy: has values down to -0.5, and counts (noise poisson) are never negative"},
      {of_file("bytes.npy"),
       "white: the values of bytes.npy reach from 0 to 255, and their type does not say which is "
       "white; give image: {white: 255}"},
      {of_file("flat.npy"),
       "flat.npy: more than half of its pixels equal their neighbours, so that no noise can be "
       "estimated; give noise: {level: ...}"},
      {with_operator("{mask: {file: mask.npy}}"),
       "grey.png: the noise of what a mask hides, or of one row or column, cannot be estimated; "
       "give noise: {level: ...}"},
      // What does not go together.
      {of_file("grey.png, small.png"),
       "measurement 2: small.png has 8x4 pixels and its operator sees an image of 8x4, but "
       "measurement 1 one of 8x8"},
      {of_file("grey.png, colour.png"), "colour.png has 3 channels, but measurement 1 has 1"},
      {of_file("grey.png, deep.tif"),
       "deep.tif has 16-bit samples, but measurement 1 8-bit: give the value of white"},
      {of_file("grey.png, {file: grey.png, noise: poisson}"),
       "grey.png has poisson noise, but measurement 1 gaussian: expected one model for all"},
      {of_file("grey.png, {file: grey.png, noise: {model: poisson, gain: 1, background: 3}}") +
           "noise: {model: poisson, gain: 1}\n",
       "background x weight / gain is 3, but of measurement 1 0: expected the same for all"},
      {with("solver: mlem"), "solver: mlem is for counts"},
      {with("noise: poisson\nprior: drunet\nsolver: mlem"),
       "mlem takes no prior, and prior is drunet"},
      {with("prior: none"), "c.yml: mlem is for counts"},
      {with("prior: none\nsolver: dpir"), "prior: none is for the solver mlem, and solver is dpir"},
      {with("prior: dncnn"), "prior: no weights of dncnn are installed: give weights, a file"},
      {with("prior: {name: drunet, weight: auto}\nsolver: pnp"),
       "prior: weight: the solver pnp has none"},
      {with("prior: drunet\nsolver: primal_dual"),
       "solver: primal_dual does not take the prior drunet"},
      {with("prior: {name: tv, weights: w.pth}"),
       "prior: weights are for drunet, dncnn and ridge, and the prior is tv"},
      {with("prior: ridge\nsolver: admm"), "solver: admm does not take the prior ridge"},
      // The output.
      {"measurements: [grey.png]\noutput: o.bmp",
       "o.bmp: expected a name that ends in .png, .jpg, .tif, .npy, .fits or .h5"},
      {"measurements: [float.npy]\noutput: o.png",
       "o.png: .png cannot hold float32 samples, which the measurements have; give a name that "
       "ends in .tif, .npy, .fits or .h5"},
      {"measurements: [deep.tif]\noutput: o.jpg",
       "o.jpg: .jpg cannot hold 16-bit samples, which the measurements have; give a name that ends "
       "in .png or .tif"},
      {"measurements: [grey.png]\noutput: nowhere/o.png",
       "nowhere/o.png: there is no folder nowhere"},
  }));
  INFO(text);
  const std::string complaint = workplace.complaint(text);
  INFO(complaint);
  CHECK(complaint.find(expected) != std::string::npos);
}

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

TEST_CASE("restore: an operator does to an image what its words say", "[restore]") {
  const Workplace workplace;
  const auto made = [&](const std::string& file, const std::string& steps) {
    const Config config =
        parse_config(of_file(file) + "operator: " + steps + "\n", workplace.file("c.yml"));
    const Measurement& measurement = config.measurements.front();
    const LoadedMeasurement loaded = load(measurement);
    tessera::Extents shape = {1, 1};
    shape.insert(shape.end(), loaded.image.begin(), loaded.image.end());
    return make_operator(measurement, loaded, at::zeros(shape, at::kDouble));
  };
  SECTION("identity") {
    const Tensor x = at::arange(64, at::kDouble).view({1, 1, 8, 8});
    CHECK(at::allclose(made("grey.png", "identity")->forward(x).front(), x));
  }
  SECTION("a pixel is the mean of factor x factor") {
    const Tensor x = at::arange(576, at::kDouble).square().view({1, 1, 24, 24});
    const Tensor y = made("grey.png", "{down_sampling: {factor: 3}}")->forward(x).front();
    const Tensor means = x.view({1, 1, 8, 3, 8, 3}).mean(at::IntArrayRef({3, 5}));
    CHECK(at::allclose(y, means));
  }
  SECTION("or the first of them") {
    const Tensor x = at::arange(256, at::kDouble).view({1, 1, 16, 16});
    const Tensor y =
        made("grey.png", "{down_sampling: {factor: 2, average: false}}")->forward(x).front();
    CHECK(at::allclose(y, x.slice(2, 0, 16, 2).slice(3, 0, 16, 2)));
  }
  SECTION("a shift is down and right, in pixels of the measurement") {
    Tensor x = at::zeros({1, 1, 16, 16}, at::kDouble);
    x.narrow(2, 4, 2).narrow(3, 6, 2).fill_(1);
    const Tensor y =
        made("grey.png", "{down_sampling: {factor: 2, shift: [1, 2]}}")->forward(x).front();
    CHECK(y[0][0][3][5].item<double>() == Approx(1));
    CHECK(y.sum().item<double>() == Approx(1));
  }
  SECTION("a matrix has a row for each value") {
    const Tensor x = at::arange(64, at::kDouble).view({1, 1, 8, 8});
    const Tensor y = made("two.npy", "{matrix: {file: rows.mtx}}")->forward(x).front();
    CHECK(at::equal(y, at::tensor({0.0, -126.0}, at::kDouble).view({1, 2})));
    const tessera::LinearPhysicsPtr scaled = made("two.npy", "{matrix: {file: rows.mtx}}");
    const Tensor back = scaled->adjoint({at::ones({1, 2}, at::kDouble)});
    CHECK(back.flatten()[0].item<double>() == 1.5);
    CHECK(back.flatten()[63].item<double>() == -2);
  }
  SECTION("a symmetric one has its other half") {
    const Tensor x = at::arange(64, at::kDouble).view({1, 1, 4, 4, 4});
    Tensor expected = at::zeros({1, 64}, at::kDouble);
    expected[0][2] = 2 * 2;
    expected[0][8] = 5 * 1;
    expected[0][1] = 5 * 8;
    CHECK(at::equal(
        made("grey.png", "{matrix: {file: mirrored.mtx, shape: [4, 4, 4]}}")->forward(x).front(),
        expected));
  }
  SECTION("rays of a scan") {
    // Along the columns, along the rows, and back along the columns.
    tessera::write_npy(workplace.file("scan.npy"), at::zeros({3, 8}));
    const Tensor x = at::arange(64, at::kDouble).square().view({1, 1, 8, 8});
    const Tensor y =
        made("scan.npy", "{tomography: {angles: [0, 90, 180]}}")->forward(x).front()[0][0];
    CHECK(at::allclose(y[0], x[0][0].sum(0)));
    CHECK(at::allclose(y[1], x[0][0].sum(1)));
    CHECK(at::allclose(y[2], x[0][0].sum(0).flip(0)));
  }
  SECTION("a detector may be coarser than the image, and its image no square") {
    tessera::write_npy(workplace.file("scan.npy"), at::zeros({2, 4}));
    CHECK(made("scan.npy", "{tomography: {angles: {count: 2}, spacing: 2}}")
              ->forward(at::ones({1, 1, 8, 8}, at::kDouble))
              .front()
              .sizes() == at::IntArrayRef({1, 1, 2, 4}));
    const Tensor y = made("scan.npy", "{tomography: {angles: {count: 2}, shape: [6, 4]}}")
                         ->forward(at::ones({1, 1, 6, 4}, at::kDouble))
                         .front();
    CHECK(at::allclose(y[0][0][0], at::full({4}, 6.0, at::kDouble)));
  }
  SECTION("Fourier coefficients where a mask is") {
    const Tensor x = at::arange(64, at::kDouble).view({1, 1, 8, 8});
    Tensor mask = at::ones({8, 8});
    mask[2][3] = 0;
    tessera::write_npy(workplace.file("holes.npy"), mask);
    const Tensor y = made("k.npy", "{fourier: {mask: holes.npy}}")->forward(x).front();
    CHECK(at::allclose(y, at::fft_fft2(x, {}, {-2, -1}, "ortho") * mask));
  }
  SECTION("steps act in their order") {
    const Tensor x = at::ones({1, 1, 10, 10}, at::kDouble);
    const Tensor y =
        made("grey.png", "[{blur: {kernel: psf.npy, border: valid}}, {mask: {file: mask.npy}}]")
            ->forward(x)
            .front();
    CHECK(y.sizes() == at::IntArrayRef({1, 1, 8, 8}));
  }
}

TEST_CASE("restore: volumes are what their files say", "[restore]") {
  const Workplace workplace;
  const Tensor values = at::arange(320, at::kDouble).view({1, 1, 5, 8, 8});
  SECTION("pages are slices, and come back with their type and voxels") {
    const Picture read = read_picture(workplace.file("stack.tif"));
    CHECK(at::equal(read.values.to(at::kDouble), values));
    Picture source;
    source.voxel = tessera::VoxelSize{.depth = 0.3, .height = 0.1, .width = 0.1};
    const Samples samples = GENERATE(Samples::u8, Samples::u16, Samples::f32);
    const double largest = samples == Samples::u8 ? 255 : 319;
    write_picture(workplace.file("o.tif"), values, samples, source);
    const Picture again = read_picture(workplace.file("o.tif"));
    CHECK(again.samples == samples);
    CHECK(at::equal(again.values.to(at::kDouble), values.clamp_max(largest)));
    REQUIRE(again.voxel.has_value());
    CHECK(again.voxel->depth == Approx(0.3));
  }
  SECTION("axes say what is what") {
    const Picture frames = read_picture(workplace.file("stack.tif"), {.axes = "cyx"});
    CHECK(at::equal(frames.values.to(at::kDouble), values.squeeze(1)));
    const Picture last = read_picture(workplace.file("last.npy"), {.axes = "yxc"});
    CHECK(last.values.sizes() == at::IntArrayRef({1, 3, 8, 8}));
    const Picture slices = read_picture(workplace.file("psf3.npy"), {.axes = "zyx"});
    CHECK(slices.values.sizes() == at::IntArrayRef({1, 1, 3, 3, 3}));
  }
  SECTION("the default prior of volumes is one that knows them") {
    const Plan plan = workplace.plan(of_file("stack.tif") +
                                     "operator: {blur: {gaussian: [0.5, 0.3, 0.3]}}\n"
                                     "noise: {level: 1}\nimage: {white: 319}\n");
    CHECK(plan.prior == PriorName::tv);
    CHECK(plan.frame == tessera::Extents({5, 8, 8}));
    CHECK(plan.image == tessera::Extents({1, 1, 9, 12, 12}));
    CHECK(table_of(plan).find("8x8x5, 1 channel, 5 slices") != std::string::npos);
  }
}

TEST_CASE("restore: wavelets are a prior of pictures and volumes", "[restore]") {
  const test::TemporaryFolder folder;
  const std::string config = folder.file("c.yml");
  test::write_bytes(config, "measurements: [" + shared_file("photo.png") +
                                "]\noperator: {blur: {kernel: " + shared_file("psf.tif") +
                                ", normalise: true}}\noutput: o.png\nprior: wavelet\n");
  // Measured 24.28 dB.
  CHECK(quality_of(config, "o.png", "truth.png", 255) > 25.4);
}

TEST_CASE("restore: a learned sum of potentials is a prior of pictures and volumes", "[restore]") {
  const Workplace workplace;
  const Plan plan = workplace.plan(with("noise: {level: 5.1}\nprior: ridge"));
  CHECK(plan.method.prior == restoration::PriorKind::ridge);
  CHECK(plan.method.solver == SolverKind::proximal_gradient);
  CHECK(plan.method.denoiser_sigma == Approx(0.02));
  CHECK(plan.rule == WeightRule::risk);
  CHECK(table_of(plan).find("prior          ridge of grey images") != std::string::npos);
  CHECK(table_of(workplace.plan(of_file("stack.tif") +
                                "noise: {level: 1}\nimage: {white: 319}\nprior: ridge\n"))
            .find("ridge of volumes") != std::string::npos);

  const test::TemporaryFolder folder;
  const std::string config = folder.file("c.yml");
  test::write_bytes(config, "measurements: [" + shared_file("photo.png") +
                                "]\noperator: {blur: {kernel: " + shared_file("psf.tif") +
                                ", normalise: true}}\nnoise: {level: 3}\noutput: o.png\n" +
                                "prior: ridge\n");
  // Measured 24.28 dB.
  CHECK(quality_of(config, "o.png", "truth.png", 255) > 27.7);

  const Tensor cells = read_picture(shared_file("cells.npy")).values / 255;
  tessera::write_npy(folder.file("noisy.npy"), tessera::GaussianNoise(0.05, 9).add(cells)[0][0]);
  test::write_bytes(config,
                    "measurements: [noisy.npy]\nnoise: {level: 0.05}\nimage: {white: 1}\n"
                    "output: o.npy\nprior: {name: ridge, weight: 1}\n");
  // Measured 26.0 dB.
  CHECK(quality_of(config, "o.npy", "cells.npy", 1, 255) > 31.8);
}

TEST_CASE("restore: what a last mask hides does not matter", "[restore]") {
  const Workplace workplace;
  Tensor mask = at::ones({8, 8});
  mask[1][2] = 0;
  tessera::write_npy(workplace.file("hole.npy"), mask);
  const Config config =
      parse_config(of_file("nan.npy") + "operator: {mask: {file: hole.npy}}\nnoise: {level: 0.1}\n",
                   workplace.file("c.yml"));
  const LoadedMeasurement loaded = load(config.measurements.front());
  CHECK(loaded.picture.values[0][0][1][2].item<float>() == 0);
  CHECK(facts_of(config.measurements.front(), loaded).values == 63);
}

TEST_CASE("restore: a picture comes back as it was", "[restore]") {
  const test::TemporaryFolder folder;
  const auto [name, samples, largest] = GENERATE(table<std::string, Samples, double>({
      {"a.png", Samples::u8, 255},
      {"a.png", Samples::u16, 65535},
      {"a.tif", Samples::u8, 255},
      {"a.tif", Samples::u16, 65535},
      {"a.tif", Samples::f32, 1e6},
      {"a.npy", Samples::u8, 255},
      {"a.npy", Samples::f32, 1e6},
      {"a.npy", Samples::f64, 1e9},
  }));
  INFO(name << " " << settings::name_of(samples));
  const Tensor values = (at::arange(105, at::kDouble) * (largest / 104)).round().view({1, 3, 5, 7});
  write_picture(folder.file(name), values, samples);
  const Picture picture = read_picture(folder.file(name), {.spatial = 2});
  CHECK(picture.samples == samples);
  CHECK(at::equal(picture.values.to(at::kDouble), values));
  CHECK(picture.white.value_or(0) == (samples <= Samples::u16 ? largest : 0));
}

TEST_CASE("restore: integers are clamped, not wrapped", "[restore]") {
  const test::TemporaryFolder folder;
  const Tensor values = at::arange(4, at::kDouble).view({1, 1, 2, 2}) * 200 - 100;
  for (const char* name : {"a.png", "a.npy"}) {
    write_picture(folder.file(name), values, Samples::u8);
    const Tensor read = read_picture(folder.file(name)).values;
    CHECK(at::equal(read, at::clamp(values, 0, 255).to(at::kFloat)));
  }
}

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

// Measured and written by programs of others (tests/data/restore/make_files.py, which prints what
// scikit-image makes of the same files).

TEST_CASE("restore: a photograph", "[restore]") {
  // Measured 24.28 dB, the best of Richardson-Lucy's iterations 26.82 dB.
  CHECK(quality_of(shared_file("photo.yml"), "o.png", "truth.png", 255) > 28.4);
}

TEST_CASE("restore: a burst at twice the resolution", "[restore]") {
  // Bicubic interpolation 25.22 dB, the mean of the aligned frames sharpened by Richardson-Lucy
  // 27.02 dB.
  CHECK(quality_of(shared_file("frames.yml"), "o.tif", "truth.png", 255) > 30.7);
}

TEST_CASE("restore: counted photons", "[restore]") {
  // Measured 24.94 dB; the best of Richardson-Lucy's iterations 29.59 dB, which only the truth
  // finds.
  CHECK(quality_of(shared_file("counts.yml"), "o.npy", "sky.fits", 200) > 29.6);
  CHECK(quality_of(shared_file("counts_drunet.yml"), "o.npy", "sky.fits", 200) > 29.85);
}

TEST_CASE("restore: a volume of photons", "[restore]") {
  // Measured 17.27 dB, the best of Richardson-Lucy's iterations 18.50 dB.
  CHECK(quality_of(shared_file("cells.yml"), "o.tif", "cells.npy", 20000, 255) > 22.0);
}

TEST_CASE("restore: a lens that blurs more to the corners", "[restore]") {
  // Measured 25.03 dB, the best of Richardson-Lucy's iterations with the mean kernel 26.87 dB.
  CHECK(quality_of(shared_file("corners.yml"), "o.png", "truth.png", 255) > 30.3);
}

TEST_CASE("restore: a scan of parallel rays", "[restore]") {
  // Gaussian discs, whose line integrals are known, in units in which white is 0.02.
  constexpr int side = 32;
  constexpr int views = 40;
  const double white = 0.02;
  const test::TemporaryFolder folder;
  Tensor truth = at::zeros({side, side}, at::kDouble);
  Tensor scan = at::zeros({views, side}, at::kDouble);
  const Tensor along = at::arange(side, at::kDouble) - (side - 1) / 2.0;
  const auto bell = [](const Tensor& distance, double width) {
    return (distance / width).square().mul(-0.5).exp();
  };
  for (const auto& [x, y, width, height] : std::vector<std::array<double, 4>>{
           {-5, 3, 3, 0.8}, {6, 6, 1.5, 0.6}, {2, -7, 2, 0.5}, {-1, -1, 6, 0.2}}) {
    truth += white * height *
             (bell(along - y, width).view({-1, 1}) * bell(along - x, width).view({1, -1}));
    for (int view = 0; view < views; ++view) {
      const double angle = (10 + 180.0 * view / views) * std::acos(-1) / 180;
      scan[view] += white * height * width * std::sqrt(2 * std::acos(-1)) *
                    bell(along - (x * std::cos(angle) + y * std::sin(angle)), width);
    }
  }
  const Tensor noisy = tessera::GaussianNoise(0.002, 5).add(scan);
  tessera::write_npy(folder.file("scan.npy"), noisy);
  tessera::write_npy(folder.file("truth.npy"), truth);
  const std::string config = folder.file("c.yml");
  const auto quality_with = [&](const std::string& rest) {
    test::write_bytes(config,
                      "measurements: [scan.npy]\noperator: {tomography: {angles: {count: "
                      "40, from: 10, to: 190}}}\nimage: {white: 0.02, clamp: [0, 0.02]}\n"
                      "output: o.npy\n" +
                          rest);
    return quality_of(config, "o.npy", folder.file("truth.npy"), white);
  };
  CHECK(quality_with("prior: tv\n") > 40.5);
  CHECK(quality_with("noise: {level: 0.002}\n") > 43);
}

TEST_CASE("restore: Fourier coefficients of a picture", "[restore]") {
  const test::TemporaryFolder folder;
  const Tensor truth = read_picture(shared_file("truth.png")).values.mean(1, true) / 255;
  tessera::write_npy(folder.file("truth.npy"), truth[0][0]);
  // A third of the rows of k-space, most of them of low frequencies.
  const std::vector<int> rows = {0,  1,  2,  3,  4,  5,  7,  10, 14, 19, 24,
                                 29, 33, 38, 44, 49, 53, 57, 60, 61, 62, 63};
  Tensor mask = at::zeros({64, 64});
  for (const int row : rows) mask[row].fill_(1);
  tessera::write_npy(folder.file("mask.npy"), mask);
  const Tensor seen =
      tessera::GaussianNoise(0.01, 6).add(at::fft_fft2(truth, {}, {-2, -1}, "ortho"));
  tessera::write_npy(folder.file("k.npy"), seen[0][0].to(at::kComplexFloat));
  const double zero_filled =
      tessera::psnr(at::real(at::fft_ifft2(seen * mask, {}, {-2, -1}, "ortho")).to(at::kFloat),
                    truth)
          .item<double>();
  const std::string config = folder.file("c.yml");
  const auto quality_with = [&](const std::string& prior) {
    test::write_bytes(config,
                      "measurements: [k.npy]\noperator: {fourier: {mask: mask.npy}}\n"
                      "noise: {level: 0.01}\nimage: {white: 1, clamp: [0, 1]}\n"
                      "output: o.npy\nprior: " +
                          prior + "\n");
    return quality_of(config, "o.npy", folder.file("truth.npy"), 1);
  };
  CHECK(zero_filled < 22.5);
  CHECK(quality_with("tv") > 26.3);
  CHECK(quality_with("drunet") > 26.3);
}

TEST_CASE("restore: a list of sums of pixels", "[restore]") {
  // The sum of each row and of each column, and every other pixel: an operator of one's own.
  const test::TemporaryFolder folder;
  constexpr int side = 16;
  const Tensor truth = at::zeros({side, side}, at::kDouble);
  truth.narrow(0, 3, 6).narrow(1, 4, 9).fill_(0.8);
  std::string entries;
  int row = 0;
  int count = 0;
  const auto add_row = [&](const std::vector<int>& pixels) {
    ++row;
    for (const int pixel : pixels) {
      entries += std::to_string(row) + " " + std::to_string(pixel + 1) + " 3\n";
      ++count;
    }
  };
  for (int i = 0; i < side; ++i) {
    std::vector<int> across;
    std::vector<int> down;
    for (int j = 0; j < side; ++j) {
      across.push_back(side * i + j);
      down.push_back(side * j + i);
    }
    add_row(across);
    add_row(down);
  }
  for (int i = 0; i < side * side; i += 3) add_row({i});
  test::write_bytes(folder.file("sums.mtx"), "%%MatrixMarket matrix coordinate real general\n" +
                                                 std::to_string(row) + " 256 " +
                                                 std::to_string(count) + "\n" + entries);
  const Tensor sums =
      read_matrix_market(folder.file("sums.mtx")).to_dense().matmul(truth.flatten());
  tessera::write_npy(folder.file("sums.npy"), tessera::GaussianNoise(0.03, 8).add(sums));
  tessera::write_npy(folder.file("truth.npy"), truth);
  const std::string config = folder.file("c.yml");
  test::write_bytes(config,
                    "measurements: [sums.npy]\noperator: {matrix: {file: sums.mtx}}\n"
                    "noise: {level: 0.03}\nimage: {white: 1}\nprior: tv\noutput: o.npy\n");
  CHECK(quality_of(config, "o.npy", folder.file("truth.npy"), 1) > 54);
}

TEST_CASE("restore: a dry run writes nothing", "[restore]") {
  const test::TemporaryFolder folder;
  CHECK(run({.config = shared_file("photo.yml"),
             .output = folder.file("o.png"),
             .dry_run = true,
             .quiet = true},
            tessera::self_communicator()) == 0);
  CHECK(folder.entry_count() == 0);
}

TEST_CASE("restore: a network for pictures denoises volumes, whole and in tiles", "[restore]") {
  // 40 slices are more than a tile has.
  const Tensor slices = at::linspace(-1, 1, 40, at::kDouble).view({40, 1, 1});
  const Tensor rows = at::linspace(-1, 1, 32, at::kDouble).view({32, 1});
  const Tensor columns = at::linspace(-1, 1, 36, at::kDouble);
  const Tensor radii = (slices.square() + rows.square() + columns.square()).sqrt();
  const Tensor truth = 0.2 + 0.6 * (radii < 0.7).to(at::kDouble);
  const std::int64_t depth = GENERATE(16, 40);
  const test::TemporaryFolder folder;
  const Tensor clean = truth.narrow(0, 0, depth);
  tessera::write_npy(folder.file("y.npy"), tessera::GaussianNoise(0.1, 7).add(clean));
  test::write_bytes(folder.file("c.yml"),
                    "measurements: [y.npy]\nnoise: {level: 0.1}\noutput: o.npy\n"
                    "prior: drunet\nsolver: {iterations: 4}\n");
  const RunOrders orders{.config = folder.file("c.yml"), .threads = 2, .quiet = true};
  REQUIRE(run(orders, tessera::self_communicator()) == 0);
  const Tensor restored = tessera::read_npy(folder.file("o.npy"));
  CHECK(restored.sizes() == clean.sizes());
  CHECK((restored - clean).square().mean().sqrt().item<double>() < 0.06);
}

TEST_CASE("restore: networks that do not fit are wrong inputs", "[restore]") {
  const test::TemporaryFolder folder;
  tessera::write_npy(folder.file("y.npy"), at::rand({20, 20}, at::kDouble));
  const std::string weights =
      GENERATE(std::string(TESSERA_WEIGHTS_DIR "/drunet_lite.safetensors"), "y.npy", "no.pth");
  INFO(weights);
  test::write_bytes(folder.file("c.yml"),
                    "measurements: [y.npy]\nnoise: {level: 0.1}\noutput: o.npy\nprior: {name: "
                    "drunet, weights: " +
                        weights + "}\n");
  const RunOrders orders{.config = folder.file("c.yml"), .dry_run = true, .threads = 1};
  CHECK(run(orders, tessera::self_communicator()) == wrong_input_code);
}
