// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <string_view>

namespace tessera::detail {

/// RFC 4648, with padding.
std::string base64(std::string_view bytes);

}  // namespace tessera::detail
