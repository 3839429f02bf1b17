// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/comm/tensor_view.hpp"

#include <ATen/ops/conj.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"

using namespace tessera;
using error::ShapeMismatch;

namespace {

/// A communicator that says it reads device memory, to see which way host tensors take: any use of
/// it is a failure.
class DeviceOnly final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string name() const override { return "device only"; }
  Memory memory() const override { return Memory::device; }
  Communicator& control() override { return *control_; }
  [[noreturn]] void abort(int code) override { std::_Exit(code); }

 private:
  [[noreturn]] static void used() {
    throw error::Communication("a host tensor reached a device communicator");
  }
  void do_all_reduce(void*, std::int64_t, DataType, Reduction) override { used(); }
  void do_broadcast(void*, std::int64_t, DataType, int) override { used(); }
  void do_all_gather(const void*, void*, std::span<const std::int64_t>, DataType) override {
    used();
  }
  void do_reduce_scatter(const void*, void*, std::span<const std::int64_t>, DataType,
                         Reduction) override {
    used();
  }
  void do_exchange(std::span<const Message>, std::span<const Message>, DataType) override {
    used();
  }
  void do_barrier() override { used(); }
  CommunicatorPtr do_split(int, int) override { used(); }

  CommunicatorPtr control_ = self_communicator();
};

}  // namespace

TEST_CASE("view: address, count and type of a tensor") {
  const CommunicatorPtr ranks = self_communicator();
  const std::vector<std::pair<at::ScalarType, DataType>> types{
      {at::kByte, DataType::u8},           {at::kInt, DataType::i32},
      {at::kLong, DataType::i64},          {at::kFloat, DataType::f32},
      {at::kDouble, DataType::f64},        {at::kComplexFloat, DataType::c64},
      {at::kComplexDouble, DataType::c128}};
  for (const auto& [scalar, type] : types) {
    const Tensor tensor = at::zeros({2, 3}, scalar);
    const TensorView seen = view(tensor, *ranks);
    CHECK(seen.data == tensor.data_ptr());
    CHECK(seen.count == 6);
    CHECK(seen.type == type);
    CHECK(static_cast<std::int64_t>(size_of(type)) == tensor.element_size());
  }
}

TEST_CASE("view: what cannot be sent is refused with a reason") {
  const CommunicatorPtr ranks = self_communicator();
  CHECK_THROWS_AS(view(Tensor(), *ranks), ShapeMismatch);
  CHECK_THROWS_WITH(view(at::zeros({2, 3}, at::kHalf), *ranks),
                    test::contains("view: tensor is [2, 3] float16 on cpu, expected uint8, int32"));
  CHECK_THROWS_WITH(view(at::zeros({2, 3}).t(), *ranks),
                    test::contains("with strides [1, 3], expected a contiguous one"));
  CHECK_THROWS_WITH(view(at::zeros({2}, at::kComplexFloat).conj(), *ranks),
                    test::contains("resolve_conj()"));
  CHECK_THROWS_WITH(view(at::empty({2}, at::TensorOptions().device(at::kMeta)), *ranks),
                    test::contains("expected one on cpu or cuda"));
  const DeviceOnly device;
  CHECK_THROWS_WITH(view(at::zeros({2}), device),
                    test::contains("expected one on cuda for communicator 'device only'"));
}

TEST_CASE("tensors: operations on one rank keep the values, strided and conjugated ones too") {
  const CommunicatorPtr ranks = self_communicator();
  const Tensor image = test::indexed({3, 4}).t();
  const Tensor before = image.clone();

  Tensor strided = image;
  all_reduce(*ranks, strided);
  CHECK(at::equal(strided, before));
  broadcast(*ranks, strided);
  CHECK(at::equal(strided, before));
  CHECK(at::equal(all_gather(*ranks, image, {12}), before.reshape({-1})));
  CHECK(at::equal(reduce_scatter(*ranks, image, {12}), before.reshape({-1})));

  const Tensor complex = test::indexed({6}).to(at::kComplexDouble) * c10::complex<double>(1, 2);
  CHECK(at::equal(all_gather(*ranks, complex.conj(), {6}), complex.conj().resolve_conj()));
  Tensor conjugated = complex.clone().conj();
  all_reduce(*ranks, conjugated);
  CHECK(at::equal(conjugated.resolve_conj(), complex.conj().resolve_conj()));

  const Tensor columns = at::zeros({4, 3}, at::kDouble).t();  // received into its strides
  const TensorMessage send{0, image.t()};
  const TensorMessage receive{0, columns};
  exchange(*ranks, {&send, 1}, {&receive, 1});
  CHECK(at::equal(columns, before.t()));
}

TEST_CASE("tensors: host tensors of a device communicator travel over its control communicator") {
  DeviceOnly device;
  Tensor image = test::indexed({2, 5});
  const Tensor before = image.clone();
  all_reduce(device, image);
  broadcast(device, image);
  CHECK(at::equal(image, before));
  CHECK(at::equal(all_gather(device, image, {10}), before.reshape({-1})));
  CHECK(at::equal(reduce_scatter(device, image, {10}), before.reshape({-1})));
}

TEST_CASE("tensors: counts that do not fit are refused") {
  const CommunicatorPtr ranks = self_communicator();
  const Tensor tensor = at::zeros({5});
  CHECK_THROWS_WITH(all_gather(*ranks, tensor, {4}),
                    "all_gather: tensor is [5] float32 on cpu, expected 4 elements");
  CHECK_THROWS_AS(all_gather(*ranks, tensor, {5, 0}), error::InvalidArgument);
  CHECK_THROWS_AS(reduce_scatter(*ranks, tensor, {6}), ShapeMismatch);
  CHECK_THROWS_AS(all_gather(*ranks, Tensor(), {0}), ShapeMismatch);
  const TensorMessage send{0, tensor};
  const TensorMessage receive{0, at::zeros({5}, at::kDouble)};
  CHECK_THROWS_WITH(exchange(*ranks, {&send, 1}, {&receive, 1}),
                    test::contains("expected one dtype and device"));
}
