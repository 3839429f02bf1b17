// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/equal.h>

#include <algorithm>

#include "catch.hpp"
#include "data_files.hpp"
#include "files.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/hdf5.hpp"

using namespace tessera;
using test::data_file;
using test::part;

namespace {

/// 0, 1, 2, ...; complex numbers are n - 1i n.
Tensor counting(at::IntArrayRef shape, at::ScalarType type) {
  const Tensor n = test::counting(shape, at::kDouble);
  return (at::isComplexType(type) ? at::complex(n, -n) : n).to(type);
}

}  // namespace

TEST_CASE("read_hdf5 reads what h5py writes", "[io][hdf5]") {
  const auto [name, type] = GENERATE(table<std::string, at::ScalarType>({
      {"f2", at::kFloat},
      {"f4", at::kFloat},
      {"big_f4", at::kFloat},
      {"f8", at::kDouble},
      {"i1", at::kChar},
      {"i2", at::kShort},
      {"i4", at::kInt},
      {"i8", at::kLong},
      {"u1", at::kByte},
      {"u2", at::kUInt16},
      {"u4", at::kLong},
      {"c8", at::kComplexFloat},
      {"c16", at::kComplexDouble},
      {"group/inner/ismrmrd", at::kComplexFloat},
  }));
  INFO(name);
  const Tensor read = read_hdf5(data_file("arrays.h5"), name);
  CHECK(read.scalar_type() == type);
  CHECK(at::equal(read, counting({2, 3, 4}, type)));
  const Box window{{{1, 2}, {0, 2}, {1, 4}}};
  const Tensor box = read_hdf5(data_file("arrays.h5"), name, {.window = window});
  CHECK(at::equal(box, part(read, window)));
}

TEST_CASE("read_hdf5 reads bools, scalars, empty and packed arrays", "[io][hdf5]") {
  const std::string path = data_file("arrays.h5");
  CHECK(at::equal(read_hdf5(path, "bool"), counting({2, 3, 4}, at::kLong).remainder(3).eq(1)));
  CHECK(read_hdf5(path, "scalar").dim() == 0);
  CHECK(read_hdf5(path, "scalar").item<double>() == 3.5);
  CHECK(read_hdf5(path, "empty").sizes() == at::IntArrayRef({2, 0, 3}));
  const Tensor packed = counting({2, 30, 40}, at::kShort);
  CHECK(at::equal(read_hdf5(path, "packed"), packed));
  const Box window{{{1, 2}, {5, 25}, {39, 40}}};
  CHECK(at::equal(read_hdf5(path, "packed", {.window = window}), part(packed, window)));
}

TEST_CASE("read_hdf5 refuses what it cannot read, with the cause", "[io][hdf5]") {
  const std::string path = data_file("arrays.h5");
  const auto [name, cause] = GENERATE(table<std::string, std::string>({
      {"missing", "has no dataset 'missing', it has 'big_f4'"},
      {"group", "has no dataset 'group'"},
      {"", "has no dataset ''"},
      {"f4/x", "has no dataset 'f4/x'"},
      {"u8", "has unsigned integers of 8 bytes"},
      {"text", "has text, expected"},
      {"pairs", "has compounds of 'a' and 'b'"},
      {"soft", "has a link at 'soft'"},
      {"outside", "has a link at 'outside'"},
      {"raw", "keeps its data in other files"},
      {"virtual", "keeps its data in other files"},
  }));
  INFO(name);
  CHECK_THROWS_WITH(read_hdf5(path, name),
                    test::contains("read_hdf5: " + path) && test::contains(cause));
  CHECK_THROWS_AS(read_hdf5(path, name), error::Io);
}

TEST_CASE("read_hdf5 refuses too much, and windows that do not fit", "[io][hdf5]") {
  const std::string path = data_file("arrays.h5");
  CHECK_THROWS_WITH(read_hdf5(path, "f4", {.max_values = 23}),
                    test::contains("more than the 23 values"));
  CHECK_THROWS_AS(read_hdf5(path, "f4", {.window = {{{0, 1}, {0, 2}, {0, 3}, {0, 4}}}}),
                  error::InvalidArgument);
  CHECK_THROWS_AS(read_hdf5(path, "f4", {.window = {{{0, 1}, {0, 3}, {4, 5}}}}),
                  error::InvalidArgument);
  CHECK_THROWS_WITH(read_hdf5(data_file("rgb8.png"), "x"), test::contains("no HDF5 file"));
  CHECK_THROWS_WITH(read_hdf5(data_file("none.h5"), "x"), test::contains("No such file"));
}

TEST_CASE("list_hdf5 names datasets, shapes and types", "[io][hdf5]") {
  const std::vector<Hdf5Dataset> list = list_hdf5(data_file("arrays.h5"));
  const auto find = [&](const std::string& name) {
    const auto found = std::find_if(
        list.begin(), list.end(), [&](const Hdf5Dataset& dataset) { return dataset.name == name; });
    REQUIRE(found != list.end());
    return *found;
  };
  CHECK(find("group/inner/ismrmrd").type == "complex64");
  CHECK(find("packed").shape == std::vector<std::int64_t>{2, 30, 40});
  CHECK(find("scalar").shape.empty());
  CHECK_THAT(find("text").type, test::contains("has text"));
  CHECK_THROWS_WITH(list_hdf5(data_file("cycle.h5")), test::contains("deeper than 32"));
}

TEST_CASE("read_fastmri reads k-space, and the reconstruction if there is one", "[io][hdf5]") {
  const FastMri all = read_fastmri(data_file("fastmri.h5"));
  CHECK(at::equal(all.kspace, counting({2, 3, 4, 5}, at::kComplexFloat)));
  CHECK(at::equal(all.reconstruction, counting({2, 4, 4}, at::kFloat)));
  const FastMri one = read_fastmri(data_file("fastmri.h5"), Interval{1, 2});
  CHECK(at::equal(one.kspace, all.kspace.narrow(0, 1, 1)));
  CHECK(at::equal(one.reconstruction, all.reconstruction.narrow(0, 1, 1)));
  const FastMri coil = read_fastmri(data_file("singlecoil.h5"), Interval{0, 1});
  CHECK(at::equal(coil.kspace, counting({2, 1, 4, 5}, at::kComplexFloat).narrow(0, 0, 1)));
  CHECK(coil.reconstruction.size(0) == 1);
  CHECK_THROWS_WITH(read_fastmri(data_file("arrays.h5")),
                    test::contains("read_fastmri") && test::contains("no dataset 'kspace'"));
  CHECK_THROWS_AS(read_fastmri(data_file("fastmri.h5"), Interval{2, 3}), error::InvalidArgument);
  const test::TemporaryFolder folder;
  write_hdf5(folder.file("x.h5"), {{"kspace", all.kspace}});
  CHECK(!read_fastmri(folder.file("x.h5")).reconstruction.defined());
}

TEST_CASE("write_hdf5, then read_hdf5, gives the same tensors", "[io][hdf5]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.h5");
  StateDict written;
  for (const auto type : {at::kFloat, at::kDouble, at::kComplexFloat, at::kComplexDouble, at::kByte,
                          at::kUInt16, at::kChar, at::kShort, at::kInt, at::kLong, at::kBool}) {
    written["group/" + tessera::detail::dtype_name(type)] = counting({2, 3, 4}, type);
  }
  written["scalar"] = counting({1}, at::kDouble)[0];
  written["empty"] = counting({2, 0}, at::kFloat);
  written["view"] = counting({4, 3}, at::kComplexFloat).t().conj();
  write_hdf5(path, written);
  CHECK(list_hdf5(path).size() == written.size());
  for (const auto& [name, tensor] : written) {
    INFO(name);
    const Tensor read = read_hdf5(path, name);
    CHECK(read.scalar_type() == tensor.scalar_type());
    CHECK(at::equal(read, tensor.resolve_conj()));
  }
  CHECK(folder.entry_count() == 1);
  const std::string bytes = test::read_bytes(path);
  write_hdf5(path, written);
  CHECK(test::read_bytes(path) == bytes);
  CHECK_THROWS_AS(write_hdf5(path, {{"x", counting({2}, at::kHalf)}}), error::InvalidArgument);
  CHECK_THROWS_AS(write_hdf5(path, {{"", counting({2}, at::kFloat)}}), error::InvalidArgument);
  CHECK_THROWS_AS(
      write_hdf5(path, {{"a", counting({2}, at::kFloat)}, {"a/b", counting({2}, at::kFloat)}}),
      error::Io);
  CHECK_THROWS_AS(write_hdf5(folder.file("none/x.h5"), written), error::Io);
  CHECK(test::read_bytes(path) == bytes);
}

TEST_CASE("A HDF5 file cut at any length is refused", "[io][hdf5][damage]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.h5");
  for (const std::string name : {"fastmri.h5", "arrays.h5"}) {
    const std::string bytes = test::read_bytes(data_file(name));
    for (std::size_t lost = 1; lost <= bytes.size(); lost += 1 + bytes.size() / 200) {
      INFO(name << ": " << lost << " bytes lost");
      test::write_bytes(path, bytes.substr(0, bytes.size() - lost));
      CHECK_THROWS_AS(read_hdf5(path, name == "fastmri.h5" ? "kspace" : "packed"), error::Io);
    }
  }
}
