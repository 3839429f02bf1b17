// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <utility>

#include "tessera/core/error.hpp"

namespace restore {

/// Runs a step, and puts `where` before what it says if it fails: file, line and key.
template <typename Step>
auto at_key(const std::string& where, Step&& step) {
  try {
    return std::forward<Step>(step)();
  } catch (const tessera::error::Communication&) {
    throw;
  } catch (const tessera::error::Error& failure) {
    throw tessera::error::InvalidArgument(where + failure.what());
  }
}

}  // namespace restore
