// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/rand.h>

#include <string>

#include "catch.hpp"
#include "files.hpp"
#include "networks.hpp"
#include "restore/inputs.hpp"
#include "restore/restorer.hpp"
#include "restore/run.hpp"
#include "restore_workplace.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/io/safetensors.hpp"

using namespace restore;

namespace {

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
      {with_operator("{mask: {file: mask_of_bytes.npy}}"),
       "mask_of_bytes.npy: holds integers of 0 and 1, where 255 means measured: give booleans"},
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
       "white: stack.tif is measured in a unit of its own"},
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

TEST_CASE("restore: weights that do not fit say for which images they are", "[restore]") {
  const test::TemporaryFolder folder;
  tessera::write_npy(folder.file("picture.npy"), at::rand({20, 20}, at::kDouble));
  tessera::write_npy(folder.file("volume.npy"), at::rand({8, 20, 20}, at::kDouble));
  tessera::write_safetensors(folder.file("volumes.safetensors"),
                             test::sine_weights(test::drunet_keys(1, {2, 2, 2, 2}, 1, 3)));
  const std::string shipped = TESSERA_WEIGHTS_DIR;
  const auto [file, prior, weights, expected] =
      GENERATE_COPY(table<std::string, std::string, std::string, std::string>({
          {"picture.npy", "drunet", "volumes.safetensors",
           "volumes.safetensors: is a network for volumes, expected one for pictures"},
          {"picture.npy", "drunet", shipped + "/drunet_lite.safetensors", "channels"},
          {"picture.npy", "ridge", shipped + "/ridge_volume.safetensors",
           "ridge_volume.safetensors: is for images of 3 dimensions, expected 2"},
          {"volume.npy", "ridge", shipped + "/ridge_grey.safetensors",
           "ridge_grey.safetensors: is for images of 2 dimensions, expected 3"},
      }));
  INFO(weights);
  test::write_bytes(folder.file("c.yml"),
                    "measurements: [" + file +
                        "]\nnoise: {level: 0.1}\noutput: o.npy\nprior: {name: " + prior +
                        ", weights: " + weights + "}\n");
  const Inputs inputs =
      read_inputs({.config = folder.file("c.yml"), .threads = 1}, tessera::self_communicator());
  CHECK_THROWS_WITH(denoiser_of(inputs, tessera::self_communicator()),
                    test::contains("c.yml:4:8: prior: ") && test::contains(expected));
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
