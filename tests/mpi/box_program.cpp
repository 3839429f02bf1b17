// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/full.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <string>

#include "tessera/comm/box_exchange.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/comm/mpi.hpp"
#include "tessera/comm/run_guarded.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/layerwise_network.hpp"
#include "tessera/distributed/layerwise_denoiser.hpp"
#include "tessera/distributed/slab_fourier.hpp"

/// A program that works on an image in boxes, of which one rank is killed amid its third step,
/// between an agreement and the exchange that it opened:
///   box_program box_exchange|box_fourier|box_layers <rank> <folder>
/// Rank r writes its process number to <folder>/process.r. Run by expect_failure.cmake.

namespace {

using namespace tessera;

/// Exchanges before each of its layers, as a network does.
class Layers : public LayerwiseNetwork {
 public:
  std::string name() const override { return "layers"; }
  Tensor denoise_box(const Tensor& x, const NoiseLevel& /*sigma*/,
                     const BoxPyramid& boxes) const override {
    for (int layer = 0; layer < 3; ++layer) boxes.with_halo(x, 1, 1);
    return x;
  }

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& /*sigma*/) const override { return x; }
};

int run(const CommunicatorPtr& ranks, const std::string& fault, int culprit) {
  bool is_doomed = false;
  int operations = 0;  // begun or ended
  std::shared_ptr<CountingCommunicator> counting;
  // Where the ranks had not agreed before, nobody is killed, and the job ends well.
  counting = std::make_shared<CountingCommunicator>(ranks, [&] {
    if (is_doomed && ++operations == 3 && counting->flags().calls == 1) ::raise(SIGKILL);
  });
  const auto space = std::make_shared<BoxSpace>(counting, Extents{24, 32});
  const Extents extents = space->local().extents();
  const Tensor own = at::full({1, 1, extents[0], extents[1]}, 1.0);
  const BoxesOfRanks wanted(static_cast<std::size_t>(ranks->size()), {whole_box({24, 32})});
  const BoxExchange exchange(counting, one_each(space->boxes()), wanted);
  const SlabFourier fourier(space);
  const LayerwiseDenoiser layers(std::make_shared<Layers>(), space);
  for (int step = 0; step < 100; ++step) {
    is_doomed = step == 3 && ranks->rank() == culprit;
    if (is_doomed) counting->reset();
    if (fault == "box_exchange") {
      exchange.adjoint(exchange.forward({own}));
    } else if (fault == "box_fourier") {
      fourier.inverse(fourier.forward(own));
    } else if (fault == "box_layers") {
      layers.denoise(own, 0.1);
    } else {
      throw error::InvalidArgument("no such fault: " + fault);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const MpiSession mpi(argc, argv);
  if (argc != 4) return 2;
  const CommunicatorPtr ranks = mpi_communicator();
  std::ofstream(argv[3] + std::string("/process.") + std::to_string(ranks->rank())) << ::getpid();
  ranks->barrier();
  return run_guarded(*ranks, "box_program",
                     [&] { return run(ranks, argv[1], std::stoi(argv[2])); });
}
