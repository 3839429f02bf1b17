// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/digest.hpp"

#include <ATen/ops/arange.h>

#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "files.hpp"
#include "tessera/core/error.hpp"

using namespace tessera;

TEST_CASE("Digests of files are FNV-1a's published values") {
  const test::TemporaryFolder folder;
  const auto digest = [&](const std::string& contents) {
    const std::string path = folder.file("contents");
    std::ofstream(path, std::ios::binary) << contents;
    return digest_of_file(path);
  };
  CHECK(digest("") == "cbf29ce484222325");
  CHECK(digest("a") == "af63dc4c8601ec8c");
  CHECK(digest("foobar") == "85944171f73967e8");
  CHECK_THROWS_WITH(digest_of_file(folder.file("missing")), test::contains("missing: cannot open"));
}

TEST_CASE("Digests of tensors follow values and their order, not strides") {
  const Tensor values = at::arange(12, at::kDouble).view({3, 4});
  CHECK(digest_of(values.t()) == digest_of(values.t().contiguous()));
  CHECK(digest_of(values.t()) != digest_of(values));
  CHECK(digest_of(values) != digest_of(values.to(at::kFloat)));
}
