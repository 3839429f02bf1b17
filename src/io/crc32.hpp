// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>

namespace tessera::detail {

/// The CRC-32 of zip, PNG and gzip. `before`: the checksum of what precedes these bytes.
std::uint32_t crc32(const void* data, std::size_t size, std::uint32_t before = 0);

}  // namespace tessera::detail
