// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/comm/self.hpp"

#include "communicator_suite.hpp"
#include "tessera/comm/counting.hpp"

using namespace tessera;

TEST_CASE("self: every operation in every type") {
  const CommunicatorPtr communicator = self_communicator();
  CHECK(communicator->name() == "self");
  CHECK(communicator->is_root());
  CHECK(communicator->size() == 1);
  CHECK(communicator->memory() == Memory::host);
  test::check_communicator(*communicator);
}

TEST_CASE("communicator: a refusal says who, what was given and what was expected") {
  const CommunicatorPtr communicator = self_communicator();
  double number = 0;
  CHECK_THROWS_WITH(communicator->all_reduce(&number, -3, DataType::f64, Reduction::sum),
                    "self.all_reduce: count is -3, expected at least 0");
  CHECK_THROWS_WITH(communicator->broadcast(&number, 1, DataType::f64, 1),
                    "self.broadcast: root is 1, expected a rank in [0, 1)");
  CHECK_THROWS_WITH(
      communicator->all_gather(&number, nullptr, std::vector<std::int64_t>{2}, DataType::f64),
      "self.all_gather: all is null, expected 2 elements");
  const Message send{0, &number, 1};
  CHECK_THROWS_WITH(
      communicator->exchange({&send, 1}, {}, DataType::f64),
      "self.exchange: sends to itself of [1] elements, but receives from itself of []");
}

TEST_CASE("communicator: sizes of the types") {
  CHECK(size_of(DataType::u8) == 1);
  CHECK(size_of(DataType::i32) == sizeof(std::int32_t));
  CHECK(size_of(DataType::i64) == sizeof(std::int64_t));
  CHECK(size_of(DataType::f32) == sizeof(float));
  CHECK(size_of(DataType::f64) == sizeof(double));
  CHECK(size_of(DataType::c64) == sizeof(std::complex<float>));
  CHECK(size_of(DataType::c128) == sizeof(std::complex<double>));
}

TEST_CASE("counting: passes everything on") {
  CountingCommunicator counting(self_communicator());
  test::check_communicator(counting);
  CHECK(counting.name() == "self");
  CHECK_THROWS_AS(CountingCommunicator(nullptr), error::InvalidArgument);
}
