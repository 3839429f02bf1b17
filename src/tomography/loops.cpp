// SPDX-License-Identifier: BSD-3-Clause
#include "tomography/loops.hpp"

#include "tomography/loops_of.hpp"

namespace tessera::joseph {

namespace {

#include "tomography/loops-inl.hpp"  // NOLINT: once per instruction set

template <typename T>
Loops<T> chosen() {
#ifdef __x86_64__
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (has_avx2 && has_avx512) return avx512_loops(T());
  if (has_avx2) return avx2_loops(T());
#endif
  return all_loops<T>();
}

}  // namespace

template <>
const Loops<float>& loops<float>() {
  static const Loops<float> kept = chosen<float>();
  return kept;
}

template <>
const Loops<double>& loops<double>() {
  static const Loops<double> kept = chosen<double>();
  return kept;
}

}  // namespace tessera::joseph
