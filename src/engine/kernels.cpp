// SPDX-License-Identifier: BSD-3-Clause
#include "kernels.hpp"

// SSSE3 and the Ice Lake flavour of AVX-512 add nothing to these loops; vectors of unknown length
// (SVE) cannot be kept in arrays.
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "register_block-inl.hpp"
#include "tile_block-inl.hpp"
#include "tile_scratch.hpp"
#include "transform-inl.hpp"
#include "transform6-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera::engine::HWY_NAMESPACE {

const char* target_name() {
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace tessera::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::engine {

HWY_EXPORT(convolve_block);
HWY_EXPORT(multiply_blocks);
HWY_EXPORT(add_vectors);
HWY_EXPORT(target_name);

std::int64_t tile_scratch(std::int64_t count, const WinogradWeights& weights) {
  return TileScratch::floats(count, weights);
}

void convolve_tiles(const TileBlock& block, float* scratch) {
  HWY_DYNAMIC_DISPATCH(convolve_block)(block, scratch);
}

void multiply(const Product& product) {
  HWY_DYNAMIC_DISPATCH(multiply_blocks)(product);
}

void add(const float* a, const float* b, float* out, std::int64_t count) {
  HWY_DYNAMIC_DISPATCH(add_vectors)(a, b, out, count);
}

const char* instruction_set() {
  return HWY_DYNAMIC_DISPATCH(target_name)();
}

}  // namespace tessera::engine
#endif
