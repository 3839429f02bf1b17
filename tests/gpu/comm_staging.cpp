// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/Context.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <cstdio>

#include "catch.hpp"
#include "runner.hpp"
#include "tensors.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/comm/tensor_view.hpp"
#include "tessera/core/error.hpp"

/// Device tensors through a communicator in host memory. Needs a build with TESSERA_CUDA=ON.

using namespace tessera;

TEST_CASE("staging: device tensors pass through a host communicator unchanged") {
  const CommunicatorPtr ranks = self_communicator();
  const Tensor expected = test::indexed({3, 4});
  Tensor image = expected.to(at::kCUDA);
  CHECK_THROWS_AS(view(image, *ranks), error::ShapeMismatch);
  for (int repetition = 0; repetition < 3; ++repetition) {  // the pinned buffers are reused
    all_reduce(*ranks, image);
    broadcast(*ranks, image);
  }
  CHECK(at::equal(image.cpu(), expected));
  const Tensor gathered = all_gather(*ranks, image.t(), {12});
  CHECK(gathered.is_cuda());
  CHECK(at::equal(gathered.cpu(), expected.t().reshape({-1})));
  CHECK(at::equal(reduce_scatter(*ranks, image, {12}).cpu(), expected.reshape({-1})));

  const Tensor received = at::zeros({4, 3}, expected.options().device(at::kCUDA)).t();
  const TensorMessage send{0, image};
  const TensorMessage receive{0, received};
  exchange(*ranks, {&send, 1}, {&receive, 1});
  CHECK(at::equal(received.cpu(), expected));
}

int main(int argc, char** argv) {
  if (!at::globalContext().hasCUDA()) {
    std::printf("skipped: no CUDA device, or a build without TESSERA_CUDA=ON\n");
    return 77;
  }
  return test::run(argc, argv);
}
