// SPDX-License-Identifier: BSD-3-Clause
#include "tomography/loops_of.hpp"

#ifdef __x86_64__
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,tune=haswell")  // which makes use of gathers
#endif

namespace tessera::joseph {
namespace avx2 {
#include "tomography/loops-inl.hpp"  // NOLINT: once per instruction set
}

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

Loops<float> avx2_loops(float /*type*/) {
  return avx2::all_loops<float>();
}
Loops<double> avx2_loops(double /*type*/) {
  return avx2::all_loops<double>();
}

}  // namespace tessera::joseph
#endif
