// SPDX-License-Identifier: BSD-3-Clause
// write_network FILE: a TorchScript network that smooths with a 5 x 5 box, as a user might have
// one.
#include <torch/csrc/jit/api/module.h>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  torch::jit::Module network("smoothing");
  network.define(
      "def forward(self, x):\n"
      "  return torch.avg_pool2d(x, [5, 5], [1, 1], [2, 2])\n");
  network.save(argv[1]);
  return 0;
}
