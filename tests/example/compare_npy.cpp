// SPDX-License-Identifier: BSD-3-Clause
// compare_npy A B TOLERANCE: exit code 0 if ||A - B|| <= TOLERANCE ||B||.
#include <cstdio>
#include <cstdlib>

#include "tessera/io/npy.hpp"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const tessera::Tensor a = tessera::read_npy(argv[1]).to(at::kDouble);
  const tessera::Tensor b = tessera::read_npy(argv[2]).to(at::kDouble);
  if (a.sizes() != b.sizes()) return 1;
  const double error = (a - b).norm().item<double>() / b.norm().item<double>();
  std::printf("relative difference %.3g\n", error);
  return error <= std::atof(argv[3]) ? 0 : 1;
}
