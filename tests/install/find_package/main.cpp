// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>

#include <cstdio>

#include "tessera/tessera.hpp"
#ifdef WITH_MPI
#include "tessera/comm/mpi.hpp"
#endif
#ifdef WITH_IO
#include "tessera/io/default_weights.hpp"
#include "tessera/io/image.hpp"
#endif

namespace {

class Halving : public tessera::LinearOperator {
 public:
  std::string name() const override { return "halving"; }

 private:
  tessera::Tensor do_apply(const tessera::Tensor& x) const override { return 0.5 * x; }
  tessera::Tensor do_apply_adjoint(const tessera::Tensor& v) const override { return 0.5 * v; }
};

}  // namespace

int main(int argc, char** argv) {
  tessera::CommunicatorPtr ranks = tessera::self_communicator();
#ifdef WITH_MPI
  const tessera::MpiSession session(argc, argv);
  ranks = tessera::mpi_communicator();
#endif
  (void)argc, (void)argv;
  tessera::Tensor ones = at::full({1, 1, 4, 4}, 1.0);
  tessera::all_reduce(*ranks, ones);
  const double total = Halving().apply(ones).sum().item<double>();
#ifdef WITH_IO
  // Bars of growing width, for the next test to restore.
  const tessera::Tensor ramp = at::arange(96, at::kDouble);
  const tessera::Tensor bars = ((ramp * ramp / 400).floor() / 2).frac().mul(2);
  if (argc > 1) tessera::write_image(argv[1], bars.view({1, 1, 1, -1}).expand({1, 3, 64, 96}));
#endif
  std::printf("consumer: tessera %s, %d ranks by %s, total %g\n", TESSERA_VERSION, ranks->size(),
              ranks->name().c_str(), total);
#ifdef WITH_IO
  std::printf("weights: %s\n", tessera::default_weights().c_str());
#endif
  return total == 8.0 * ranks->size() ? 0 : 1;
}
