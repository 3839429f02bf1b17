// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cstdlib>
#include <new>

#include "io/fits/fits_file.hpp"
#include "io/guard.hpp"
#include "io/host.hpp"
#include "tessera/io/atomic_file.hpp"
#include "tessera/io/fits.hpp"

namespace tessera {

namespace {

using detail::check_fits;

struct FitsType {
  int bits = 0;  // BITPIX
  int memory = 0;
};

FitsType type_of(const std::string& path, const Tensor& values) {
  if (values.defined() && values.dim() >= 1 && values.dim() <= 4 && values.numel() > 0) {
    switch (values.scalar_type()) {
      case at::kByte:
        return {BYTE_IMG, TBYTE};
      case at::kShort:
        return {SHORT_IMG, TSHORT};
      case at::kUInt16:
        return {USHORT_IMG, TUSHORT};
      case at::kInt:
        return {LONG_IMG, TINT};
      case at::kLong:
        return {LONGLONG_IMG, TLONGLONG};
      case at::kFloat:
        return {FLOAT_IMG, TFLOAT};
      case at::kDouble:
        return {DOUBLE_IMG, TDOUBLE};
      default:
        break;
    }
  }
  throw error::InvalidArgument(
      fmt::format("write_fits: {}: the values are {}, expected 1 to 4 dimensions of float32, "
                  "float64, uint8, int16, uint16, int32 or int64",
                  path, describe(values)));
}

void check_card(const std::string& path, const std::string& card) {
  const bool printable =
      std::all_of(card.begin(), card.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (!printable || card.size() > 80) {
    throw error::InvalidArgument(
        fmt::format("write_fits: {}: the card {} has {} characters, expected up to 80 of printable "
                    "ASCII",
                    path, detail::in_quotes(card), card.size()));
  }
}

/// Whether a card says how values are stored, which is for write_fits() to say.
bool is_structural(const std::string& card) {
  std::string copy = card;
  switch (fits_get_keyclass(copy.data())) {
    case TYP_STRUC_KEY:
    case TYP_CMPRS_KEY:
    case TYP_SCAL_KEY:
    case TYP_NULL_KEY:
    case TYP_CKSUM_KEY:
      return true;
    default:
      return false;
  }
}

/// The file in memory, grown by cfitsio.
struct Buffer {
  Buffer() : data(std::malloc(size)) {
    if (data == nullptr) throw std::bad_alloc();
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data); }

  std::size_t size = 2880;
  void* data;
};

void write(const std::string& path, const Tensor& values, FitsType type,
           const std::vector<std::string>& cards) {
  Buffer buffer;
  LONGLONG length = 0;
  {
    const std::lock_guard lock(detail::fits_mutex());
    detail::FitsFile file;
    int status = 0;
    const std::size_t step = std::max<std::size_t>(values.nbytes(), 1 << 16);
    check_fits(fits_create_memfile(file.address(), &buffer.data, &buffer.size, step, std::realloc,
                                   &status));
    std::vector<LONGLONG> extents(values.sizes().rbegin(), values.sizes().rend());
    check_fits(fits_create_imgll(file, type.bits, static_cast<int>(extents.size()), extents.data(),
                                 &status));
    for (const std::string& card : cards) {
      if (!is_structural(card)) check_fits(fits_write_record(file, card.c_str(), &status));
    }
    check_fits(fits_write_img(file, type.memory, 1, values.numel(),
                              const_cast<void*>(values.const_data_ptr()), &status));
    check_fits(fits_flush_file(file, &status));
    check_fits(fits_get_hduaddrll(file, nullptr, nullptr, &length, &status));
    file.close();
  }
  if (length <= 0 || static_cast<std::size_t>(length) > buffer.size) {
    throw error::Io("cfitsio did not complete the file");
  }
  AtomicFile file(path);
  file.write(buffer.data, static_cast<std::size_t>(length));
  file.commit();
}

}  // namespace

void write_fits(const std::string& path, const Tensor& values,
                const std::vector<std::string>& cards) {
  const FitsType type = type_of(path, values);
  for (const std::string& card : cards) check_card(path, card);
  detail::in_file("write_fits", path, [&] { write(path, detail::host_copy(values), type, cards); });
}

}  // namespace tessera
