// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include <filesystem>
#include <limits>
#include <utility>

#include "io/fits/fits_file.hpp"
#include "io/guard.hpp"
#include "io/host.hpp"
#include "io/input_file.hpp"
#include "io/window.hpp"
#include "tessera/io/fits.hpp"

namespace tessera {

namespace {

using detail::check_fits;
using detail::FitsFile;

constexpr int most_axes = 4;

/// Layout of the current image.
struct Layout {
  int bits = 0;   // BITPIX
  Extents shape;  // NAXIS1 last
  double scale = 1;
  double zero = 0;

  bool is_scaled() const { return scale != 1 || zero != 0; }

  at::ScalarType type() const {
    const bool offset = scale == 1 && std::abs(zero) <= 1 << 20 && zero == std::floor(zero);
    const bool exact =
        (bits == BYTE_IMG || bits == SHORT_IMG) ? offset : bits == FLOAT_IMG && !is_scaled();
    return exact ? at::kFloat : at::kDouble;
  }

  /// Of the integers that the file stands for; type() if they are none, or scaled.
  at::ScalarType stored() const {
    constexpr double offset_of_unsigned = 32768;
    if (bits == SHORT_IMG && scale == 1 && zero == offset_of_unsigned) return at::kUInt16;
    if (is_scaled()) return type();
    switch (bits) {
      case BYTE_IMG:
        return at::kByte;
      case SHORT_IMG:
        return at::kShort;
      case LONG_IMG:
        return at::kInt;
      case LONGLONG_IMG:
        return at::kLong;
      default:
        return type();
    }
  }
};

double number_of(fitsfile* file, const char* key, double otherwise) {
  double value = otherwise;
  int status = 0;
  fits_read_key(file, TDOUBLE, key, &value, nullptr, &status);
  if (status == KEY_NO_EXIST) {
    fits_clear_errmsg();
    return otherwise;
  }
  check_fits(status);
  if (!std::isfinite(value))
    throw error::Io(fmt::format("has {} = {}, expected a number", key, value));
  return value;
}

/// Throws unless the part of the file that begins at `offset` is an image: cfitsio looks into every
/// part on its way to the next, and tables made to harm have crashed it.
void check_next_part(const detail::InputFile& file, std::uint64_t offset) {
  constexpr std::string_view image = "XTENSION= 'IMAGE   '";
  const std::uint64_t left = file.size() - std::min(file.size(), offset);
  const std::string start = file.read(offset, std::min<std::uint64_t>(left, image.size()));
  if (start == image) return;
  if (start.starts_with("XTENSION")) {
    throw error::Io(
        "has no image before its first table (a tile-compressed image is one, funpack makes it "
        "plain)");
  }
  throw error::Io("has no image");
}

/// Moves to the first image that is not empty.
void find_image(fitsfile* handle, const detail::InputFile& file) {
  constexpr int most = 10'000;
  int status = 0, type = 0, axes = 0;
  for (int number = 1; number <= most; ++number) {
    check_fits(fits_movabs_hdu(handle, number, &type, &status));
    check_fits(fits_get_img_dim(handle, &axes, &status));
    if (axes > 0) return;
    LONGLONG end = 0;
    check_fits(fits_get_hduaddrll(handle, nullptr, nullptr, &end, &status));
    check_next_part(file, static_cast<std::uint64_t>(std::max<LONGLONG>(end, 0)));
  }
  throw error::Io(fmt::format("has no image among its first {} parts", most));
}

Layout read_layout(fitsfile* file, std::uint64_t file_size) {
  Layout layout;
  int status = 0, axes = 0;
  std::array<LONGLONG, most_axes> extents{};
  check_fits(fits_get_img_paramll(file, most_axes, &layout.bits, &axes, extents.data(), &status));
  if (axes > most_axes) {
    throw error::Io(fmt::format("has an image of {} axes, expected 1 to {}", axes, most_axes));
  }
  for (int i = axes; i-- > 0;) layout.shape.push_back(extents[static_cast<std::size_t>(i)]);
  const std::int64_t count = detail::checked_count(layout.shape);
  if (count == 0)
    throw error::Io(fmt::format("has an empty image of shape {}", to_string(layout.shape)));
  LONGLONG start = 0;
  check_fits(fits_get_hduaddrll(file, nullptr, &start, nullptr, &status));
  const auto needed =
      static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(std::abs(layout.bits) / 8);
  const auto begin = static_cast<std::uint64_t>(std::max<LONGLONG>(start, 0));
  const std::uint64_t available = file_size - std::min(file_size, begin);
  if (needed > available) {
    throw error::Io(fmt::format("is truncated: its image of shape {} needs {} bytes, and it has {}",
                                to_string(layout.shape), needed, available));
  }
  layout.scale = number_of(file, "BSCALE", 1);
  layout.zero = number_of(file, "BZERO", 0);
  if (layout.scale == 0) throw error::Io("has BSCALE = 0, expected another number");
  return layout;
}

Tensor read_values(fitsfile* file, const Layout& layout, const Box& window,
                   std::int64_t max_values) {
  const Extents shape = window.extents();
  if (c10::multiply_integers(shape) > max_values) {
    throw error::Io(
        fmt::format("has an image of shape {}, more than the {} values that were allowed",
                    to_string(shape), max_values));
  }
  Tensor values = detail::host_tensor(shape, layout.type());
  const bool single = values.scalar_type() == at::kFloat;
  // From 1, NAXIS1 first; both ends are read.
  std::array<long, most_axes> first = {1, 1, 1, 1};
  std::array<long, most_axes> last = {1, 1, 1, 1};
  std::array<long, most_axes> every = {1, 1, 1, 1};
  for (std::size_t d = 0; d < window.axes.size(); ++d) {
    const Interval along = window.axes[window.axes.size() - 1 - d];
    first[d] = along.begin + 1;
    last[d] = along.end;
  }
  // Without a value for what is not defined, floating values come bit for bit.
  float blank = std::numeric_limits<float>::quiet_NaN();
  double wide_blank = std::numeric_limits<double>::quiet_NaN();
  void* undefined = layout.bits < 0 ? nullptr : single ? static_cast<void*>(&blank) : &wide_blank;
  int status = 0, any = 0;
  check_fits(fits_read_subset(file, single ? TFLOAT : TDOUBLE, first.data(), last.data(),
                              every.data(), undefined, values.mutable_data_ptr(), &any, &status));
  return values;
}

std::vector<std::string> read_cards(fitsfile* file) {
  int status = 0, count = 0;
  check_fits(fits_get_hdrspace(file, &count, nullptr, &status));
  std::vector<std::string> cards;
  for (int i = 1; i <= count; ++i) {
    std::array<char, FLEN_CARD> card{};
    check_fits(fits_read_record(file, i, card.data(), &status));
    cards.emplace_back(card.data());
  }
  return cards;
}

std::string read_unit(fitsfile* file) {
  std::array<char, FLEN_VALUE> unit{};
  int status = 0;
  fits_read_key(file, TSTRING, "BUNIT", unit.data(), nullptr, &status);
  fits_clear_errmsg();
  return status == 0 ? unit.data() : "";
}

/// Opens a file, goes to its image, and returns what `step` returns of the handle and the layout.
template <typename Step>
auto at_image(const char* function, const std::string& path, Step&& step) {
  return detail::in_file(function, path, [&] {
    // cfitsio would unpack a compressed file.
    const detail::InputFile plain(path);
    constexpr std::string_view magic = "SIMPLE  =";
    if (plain.read(0, std::min<std::uint64_t>(plain.size(), magic.size())) != magic) {
      throw error::Io("is not a FITS file");
    }
    // Absolute: cfitsio takes a tilde for a home.
    const std::string absolute = std::filesystem::absolute(path).string();
    if (absolute.size() >= FLEN_FILENAME) {
      throw error::Io(fmt::format("has a name of {} characters, at most {} are supported",
                                  absolute.size(), FLEN_FILENAME - 1));
    }
    const std::lock_guard lock(detail::fits_mutex());
    FitsFile file;
    int status = 0;
    check_fits(fits_open_diskfile(file.address(), absolute.c_str(), READONLY, &status));
    find_image(file, plain);
    const Layout layout = read_layout(file, plain.size());
    return std::forward<Step>(step)(static_cast<fitsfile*>(file), layout);
  });
}

}  // namespace

FitsImage read_fits(const std::string& path, const FitsReadOptions& options) {
  return at_image("read_fits", path, [&](fitsfile* file, const Layout& layout) -> FitsImage {
    const Box window = detail::checked_window("read_fits", path, options.window, layout.shape);
    return {read_values(file, layout, window, options.max_values), read_unit(file),
            read_cards(file), layout.stored()};
  });
}

FitsHeader read_fits_header(const std::string& path) {
  return at_image(
      "read_fits_header", path, [&](fitsfile* file, const Layout& layout) -> FitsHeader {
        return {layout.shape, layout.type(), read_unit(file), read_cards(file), layout.stored()};
      });
}

}  // namespace tessera
