// SPDX-License-Identifier: BSD-3-Clause
#include "restore/file_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "tessera/core/error.hpp"

namespace restore {

using namespace tessera;

std::string ending_of(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  for (char& c : ending) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return ending;
}

bool is_one_of(const std::string& ending, std::initializer_list<std::string_view> known) {
  return std::find(known.begin(), known.end(), ending) != known.end();
}

bool is_tiff(const std::string& path) {
  return is_one_of(ending_of(path), {".tif", ".tiff"});
}

Format format_of(const std::string& path) {
  const std::string ending = ending_of(path);
  if (ending == ".npy") return Format::npy;
  if (is_one_of(ending, {".h5", ".hdf5", ".hdf"})) return Format::hdf5;
  return is_one_of(ending, {".fits", ".fit", ".fts"}) ? Format::fits : Format::picture;
}

void throw_without_fits(const std::string& path) {
  throw error::InvalidArgument(
      fmt::format("{}: this program was built without FITS (cfitsio)", path));
}

void throw_without_hdf5(const std::string& path) {
  throw error::InvalidArgument(fmt::format("{}: this program was built without HDF5", path));
}

}  // namespace restore
