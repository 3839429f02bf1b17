// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tessera/core/tensor.hpp"

/// Images to measure, float64 on the host, intensities 0 to 1. Local.

/// The head phantom of Shepp and Logan ("The Fourier reconstruction of a head section", IEEE Trans.
/// Nucl. Sci. 21, 1974) with the contrasts of Toft's thesis (1996): (1, 1, size, size), or
/// (1, 1, size, size, size) with dimensions 3. Each pixel is the mean of 2 points along each axis.
tessera::Tensor head_phantom(std::int64_t size, std::int64_t dimensions);

/// The volume of the problem `simulated` of deepinv's distributed benchmarks: a ball, a ramp along
/// the first axis and a product of sines, (1, 1, size, size, size).
tessera::Tensor ball_phantom(std::int64_t size);

/// A field of point sources, their fluxes as steep as in the sky, and a few extended ones:
/// (1, 1, size, size), peak 1. The same seed, the same sky.
tessera::Tensor sky_phantom(std::int64_t size, std::uint64_t seed);
