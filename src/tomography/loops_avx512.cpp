// SPDX-License-Identifier: BSD-3-Clause
#include "tomography/loops_of.hpp"

#ifdef __x86_64__
#ifdef __clang__
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,tune=skylake-avx512")
#endif

namespace tessera::joseph {
namespace avx512 {
#include "tomography/loops-inl.hpp"  // NOLINT: once per instruction set
}

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

Loops<float> avx512_loops(float /*type*/) {
  return avx512::all_loops<float>();
}
Loops<double> avx512_loops(double /*type*/) {
  return avx512::all_loops<double>();
}

}  // namespace tessera::joseph
#endif
