// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// Before a short loop with a constant number of turns: it must be unrolled, or its array of
/// vectors would live in memory instead of registers.
#if defined(__clang__)
#define TESSERA_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define TESSERA_UNROLL _Pragma("GCC unroll 64")
#else
#define TESSERA_UNROLL
#endif
