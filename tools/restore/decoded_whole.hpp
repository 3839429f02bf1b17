// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace restore {

/// Whether a file by its name has no parts that can be read without the others: PNG and JPEG. Each
/// rank that wants a window of one decodes all of it.
bool is_decoded_whole(const std::string& path);

}  // namespace restore
