#include <ATen/ops/full.h>

#include <cstdio>

#include "tessera/tessera.hpp"
#ifdef WITH_MPI
#include "tessera/comm/mpi.hpp"
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
#else
  (void)argc, (void)argv;
#endif
  tessera::Tensor ones = at::full({1, 1, 4, 4}, 1.0);
  tessera::all_reduce(*ranks, ones);
  const double total = Halving().apply(ones).sum().item<double>();
  std::printf("consumer: tessera %s, %d ranks by %s, total %g\n", TESSERA_VERSION, ranks->size(),
              ranks->name().c_str(), total);
  return total == 8.0 * ranks->size() ? 0 : 1;
}
