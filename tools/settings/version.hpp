// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace settings {

/// What --version prints, facts that reports of bugs need, a line each: the program and the version
/// of tessera; compiler and components that it was built with; LibTorch; the MPI library; CUDA and
/// the GPUs that it finds; the instructions of the processor that LibTorch uses.
std::string version_text(const std::string& program);

}  // namespace settings
