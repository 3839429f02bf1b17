// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

#include "catch.hpp"
#include "files.hpp"
#include "restore/pictures.hpp"
#include "restore/run.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/metric/psnr.hpp"

inline std::string shared_file(const std::string& name) {
  return std::string(TESSERA_TEST_DATA) + "/restore/" + name;
}

/// What a run of a configuration restores, against the shared truth: PSNR in dB. `white` is what is
/// white in the restored file, unless its type says it, and `truth_white` in the true one.
inline double quality_of(const std::string& config, const std::string& name,
                         const std::string& truth, double white, double truth_white = 0) {
  const test::TemporaryFolder folder;
  const restore::RunOrders orders{
      .config = config, .output = folder.file(name), .threads = 1, .quiet = true};
  REQUIRE(restore::run(orders, tessera::self_communicator()) == 0);
  CHECK(folder.entry_count() == 1);
  const tessera::Tensor expected =
      restore::read_picture(truth.starts_with('/') ? truth : shared_file(truth)).values /
      (truth_white > 0 ? truth_white : white);
  const restore::Picture written = restore::read_picture(orders.output);
  const tessera::Tensor restored =
      written.values / (truth_white > 0 ? white : written.white.value_or(white));
  return tessera::psnr(restored.clamp(0, 1).to(at::kFloat), expected.to(at::kFloat)).item<double>();
}
