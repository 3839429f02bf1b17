// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/io/image.hpp"

/// Picture files as other programs write them, byte by byte.
namespace test {

inline std::string little(std::uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * i & 0xff);
  return bytes;
}

inline std::string big(std::uint64_t value, int size) {
  const std::string bytes = little(value, size);
  return {bytes.rbegin(), bytes.rend()};
}

/// A page of tiff_file(): contiguous (H, W, C) samples, uint8, uint16 or float32.
struct TiffPage {
  at::Tensor samples;
  int kind = 0;  // NewSubfileType
  int orientation = 1;
  bool planar = false;
  int photometric = 1;          // 1: grey, 2: RGB
  std::vector<int> extra = {};  // kinds of the extra samples
};

/// An uncompressed little-endian TIFF file.
inline std::string tiff_file(const std::vector<TiffPage>& pages) {
  std::string file = "II" + little(42, 2) + little(0, 4);
  std::size_t link = 4;  // where the offset of the next page belongs
  for (const TiffPage& page : pages) {
    const at::Tensor stored =
        page.planar ? page.samples.permute({2, 0, 1}).contiguous() : page.samples.contiguous();
    const auto channels = static_cast<std::size_t>(page.samples.size(2));
    const std::size_t strips = page.planar ? channels : 1;
    const std::string data(static_cast<const char*>(stored.const_data_ptr()), stored.nbytes());
    const auto append = [&file](const std::string& bytes) {
      const std::size_t at = file.size();
      file += bytes + std::string(bytes.size() % 2, '\0');
      return at;
    };
    const auto list = [](std::size_t count, const auto& value, int size) {
      std::string bytes;
      for (std::size_t i = 0; i < count; ++i) bytes += little(value(i), size);
      return bytes;
    };
    const std::size_t pixels = append(data);
    struct Entry {
      int tag, type;
      std::string values;
    };
    const auto number = [](std::int64_t value) {
      return little(static_cast<std::uint64_t>(value), 4);
    };
    const int format = page.samples.is_floating_point() ? 3 : 1;
    std::vector<Entry> entries = {
        {254, 4, number(page.kind)},
        {256, 4, number(page.samples.size(1))},
        {257, 4, number(page.samples.size(0))},
        {258, 3,
         list(
             channels, [&](std::size_t) { return 8 * page.samples.element_size(); }, 2)},
        {259, 3, little(1, 2)},
        {262, 3, number(page.photometric).substr(0, 2)},
        {273, 4,
         list(
             strips, [&](std::size_t i) { return pixels + i * data.size() / strips; }, 4)},
        {274, 3, number(page.orientation).substr(0, 2)},
        {277, 3, little(channels, 2)},
        {278, 4, number(page.samples.size(0))},
        {279, 4,
         list(
             strips, [&](std::size_t) { return data.size() / strips; }, 4)},
        {284, 3, little(page.planar ? 2 : 1, 2)}};
    if (!page.extra.empty()) {
      entries.push_back(
          {338, 3,
           list(
               page.extra.size(),
               [&](std::size_t i) { return static_cast<std::uint64_t>(page.extra[i]); }, 2)});
    }
    entries.push_back(
        {339, 3,
         list(
             channels, [&](std::size_t) { return static_cast<std::uint64_t>(format); }, 2)});
    std::string directory = little(entries.size(), 2);
    for (const Entry& entry : entries) {
      const std::size_t count = entry.values.size() / (entry.type == 3 ? 2 : 4);
      directory += little(static_cast<std::uint64_t>(entry.tag), 2) +
                   little(static_cast<std::uint64_t>(entry.type), 2) + little(count, 4);
      directory += entry.values.size() <= 4
                       ? entry.values + std::string(4 - entry.values.size(), '\0')
                       : little(append(entry.values), 4);
    }
    const std::size_t at = append(directory + little(0, 4));
    file.replace(link, 4, little(at, 4));
    link = at + directory.size();
  }
  return file;
}

/// EXIF data, a TIFF structure, with an orientation and nothing else.
inline std::string exif_data(int orientation, bool little_endian) {
  const auto number = little_endian ? little : big;
  return (little_endian ? "II" : "MM") + number(42, 2) + number(8, 4) + number(1, 2) +
         number(0x0112, 2) + number(3, 2) + number(1, 4) +
         number(static_cast<std::uint64_t>(orientation), 2) + number(0, 2) + number(0, 4);
}

/// CRC-32 bit by bit.
inline std::uint32_t checksum(const std::string& bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
  }
  return ~crc;
}

inline std::string png_chunk(const std::string& type, const std::string& data) {
  return big(data.size(), 4) + type + data + big(checksum(type + data), 4);
}

/// `png` with a chunk behind its header or, if `last`, before its end.
inline std::string with_chunk(std::string png, const std::string& chunk, bool last = false) {
  constexpr std::size_t header = 33, end = 12;
  return png.insert(last ? png.size() - end : header, chunk);
}

/// JPEG pictures in one file with an index (CIPA DC-007); `kinds`: type codes of those after the
/// first.
inline std::string mpo_file(const std::vector<std::string>& pictures,
                            const std::vector<std::uint32_t>& kinds) {
  constexpr std::size_t directory = 8 + 2 + 2 * 12 + 4, entry = 16;
  const std::size_t index_size = directory + entry * pictures.size();
  const std::size_t base = 2 + 4 + 4;  // of offsets: behind SOI, marker and label
  std::string index = "II" + little(42, 2) + little(8, 4) + little(2, 2);
  index += little(0xb001, 2) + little(4, 2) + little(1, 4) + little(pictures.size(), 4);
  index +=
      little(0xb002, 2) + little(7, 2) + little(entry * pictures.size(), 4) + little(directory, 4);
  index += little(0, 4);
  std::size_t start = 8 + index_size;  // bytes that the index adds to the first picture
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const std::uint32_t kind = i == 0 ? 0x030000 : kinds[i - 1];
    const std::size_t size = pictures[i].size() + (i == 0 ? 8 + index_size : 0);
    index +=
        little(kind, 4) + little(size, 4) + little(i == 0 ? 0 : start - base, 4) + little(0, 4);
    start += pictures[i].size();
  }
  std::string file = pictures.front();
  file.insert(2, "\xff\xe2" + big(2 + 4 + index_size, 2) + std::string("MPF\0", 4) + index);
  for (std::size_t i = 1; i < pictures.size(); ++i) file += pictures[i];
  return file;
}

}  // namespace test
