// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace restore {

/// Of files with images, by their names: a picture is PNG, JPEG or TIFF.
enum class Format { picture, npy, fits, hdf5 };
Format format_of(const std::string& path);

/// In lower case, with its dot.
std::string ending_of(const std::string& path);
bool is_one_of(const std::string& ending, std::initializer_list<std::string_view> known);
bool is_tiff(const std::string& path);

/// error::InvalidArgument: this program cannot read or write the file.
[[noreturn]] void throw_without_fits(const std::string& path);
[[noreturn]] void throw_without_hdf5(const std::string& path);

}  // namespace restore
