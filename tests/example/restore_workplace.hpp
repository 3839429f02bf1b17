// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "files.hpp"
#include "restore/config.hpp"
#include "restore/facts.hpp"
#include "restore/loaded_measurement.hpp"
#include "restore/operators.hpp"
#include "restore/pictures.hpp"
#include "restore/plan.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/io/tiff_stack.hpp"

/// A folder of pictures as people have them, and what becomes of configurations in it.
class Workplace {
 public:
  Workplace() {
    const tessera::Tensor ramp = (at::arange(64, at::kFloat) / 63).square().view({1, 1, 8, 8});
    tessera::write_image(folder_.file("grey.png"), ramp);
    tessera::write_image(folder_.file("deep.tif"), ramp, {.samples = tessera::SampleType::u16});
    tessera::write_image(folder_.file("colour.png"), ramp.expand({1, 3, 8, 8}));
    tessera::write_image(folder_.file("small.png"), ramp.slice(2, 0, 4));
    tessera::write_npy(folder_.file("float.npy"), ramp[0][0]);
    tessera::write_npy(folder_.file("bytes.npy"), (255 * ramp)[0][0]);
    tessera::Tensor broken = ramp[0][0].clone();
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
    tessera::write_npy(folder_.file("mask_of_bytes.npy"), at::ones({8, 8}, at::kByte));
    tessera::write_tiff_stack(folder_.file("stack.tif"),
                              at::arange(320, at::kFloat).view({5, 8, 8}),
                              {.samples = tessera::SampleType::u16});
    test::write_bytes(folder_.file("text.png"), "no picture");
    tessera::write_npy(folder_.file("two.npy"), at::arange(2, at::kDouble));
    tessera::write_npy(folder_.file("k.npy"), at::ones({8, 8}, at::kComplexFloat));
    tessera::Tensor late = at::ones({8, 8});
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

  restore::Plan plan(const std::string& text) const {
    const restore::Config config = restore::parse_config(text, file("c.yml"));
    std::vector<restore::LoadedMeasurement> loaded;
    std::vector<restore::Facts> facts;
    for (const restore::Measurement& each : config.measurements) {
      loaded.push_back(restore::load(each));
      facts.push_back(restore::facts_of(each, loaded.back()));
    }
    restore::Plan made = restore::make_plan(config, facts);
    restore::check_output(config.output, made.samples, made.image);
    for (std::size_t i = 0; i < loaded.size(); ++i) {
      restore::make_operator(config.measurements[i], loaded[i], at::zeros(made.image, at::kFloat));
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

inline const std::string output = "output: o.tif\n";

inline std::string of_file(const std::string& file) {
  return "measurements: [" + file + "]\n" + output;
}

inline std::string with(const std::string& lines) {
  return of_file("grey.png") + lines + "\n";
}
