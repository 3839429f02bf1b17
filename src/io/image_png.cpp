// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>
#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <type_traits>
#include <vector>

#include "io/host.hpp"
#include "io/png_chunks.hpp"
#include "io/samples.hpp"
#include "io/tag_directory.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

/// The error handling of libpng: on_error jumps back into run(), which throws. Only C frames and
/// the steps, which hold nothing to destroy, lie between the two.
class PngErrors {
 public:
  template <class Step>
  void run(const Step& step) {
    static_assert(std::is_trivially_destructible_v<Step>, "the jump skips destructors");
    if (setjmp(jump_) != 0) throw error::Io(fmt::format("PNG: {}", message_.data()));
    step();
  }

  static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngErrors*>(png_get_error_ptr(png));
    std::strncpy(self->message_.data(), message, self->message_.size() - 1);
    std::longjmp(self->jump_, 1);
  }
  static void on_warning(png_structp /*png*/, png_const_charp /*message*/) {}

 private:
  std::jmp_buf jump_;
  std::array<char, 200> message_{};
};

/// Pointers to the rows of contiguous (H, W, C) samples.
std::vector<png_bytep> row_pointers(const Tensor& samples) {
  std::vector<png_bytep> rows(static_cast<std::size_t>(samples.size(0)));
  const auto stride = static_cast<std::size_t>(samples.stride(0) * samples.element_size());
  auto* row = static_cast<png_bytep>(samples.mutable_data_ptr());
  for (auto& pointer : rows) {
    pointer = row;
    row += stride;
  }
  return rows;
}

class PngReader {
 public:
  explicit PngReader(std::string_view bytes)
      : bytes_(bytes), next_(bytes.data()), left_(bytes.size()) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &errors_, PngErrors::on_error,
                                  PngErrors::on_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw error::Io("PNG: cannot start libpng");
    }
  }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  Tensor read(const ImageReadOptions& options, ImageInfo& info) {
    const std::uint64_t file_size = left_;
    errors_.run([this] {
      png_set_read_fn(png_, this, on_read);
      png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
      png_read_info(png_, info_);
    });
    const std::int64_t width = png_get_image_width(png_, info_);
    const std::int64_t height = png_get_image_height(png_, info_);
    check_pixels(width, height, options.max_pixels);
    choose(width, height, options, info);
    // Deflate makes at most 1032 bytes of one.
    const std::uint64_t bits =
        std::uint64_t{png_get_bit_depth(png_, info_)} * png_get_channels(png_, info_);
    check_plausible(
        static_cast<std::uint64_t>(height) * (static_cast<std::uint64_t>(width) * bits / 8),
        file_size, 1032);

    info.bits = png_get_bit_depth(png_, info_);
    info.samples = info.bits == 16 ? SampleType::u16 : SampleType::u8;
    info.alpha_dropped = (png_get_color_type(png_, info_) & PNG_COLOR_MASK_ALPHA) != 0 ||
                         png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;

    errors_.run([this] {
      if (png_get_color_type(png_, info_) == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
      png_set_expand_gray_1_2_4_to_8(png_);
      png_set_strip_alpha(png_);
      if (png_get_bit_depth(png_, info_) == 16) png_set_swap(png_);
      png_set_interlace_handling(png_);
      png_read_update_info(png_, info_);
    });
    const std::int64_t channels = png_get_channels(png_, info_);
    const bool wide = png_get_bit_depth(png_, info_) == 16;
    const Tensor samples = host_tensor({height, width, channels}, wide ? at::kUInt16 : at::kByte);
    if (png_get_rowbytes(png_, info_) != samples.nbytes() / static_cast<std::size_t>(height)) {
      throw error::Io("PNG: unexpected row size");
    }
    auto rows = row_pointers(samples);
    png_bytepp first_row = rows.data();
    errors_.run([this, first_row] {
      png_read_image(png_, first_row);
      png_read_end(png_, nullptr);
    });
    return image_from_samples(samples);
  }

 private:
  void choose(std::int64_t width, std::int64_t height, const ImageReadOptions& options,
              ImageInfo& info) const {
    const PngChunks chunks = read_png_chunks(bytes_);
    info.orientation = exif_orientation(chunks.exif);
    const std::vector<Picture> all(static_cast<std::size_t>(chunks.pictures), {width, height});
    if (choose_picture(all, options, info) > 0) {
      throw error::Io(fmt::format("PNG: is animated; only page 1 can be read, and {} was asked for",
                                  info.page));
    }
  }

  static void on_read(png_structp png, png_bytep target, std::size_t count) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self->left_) png_error(png, "the file is truncated");
    std::memcpy(target, self->next_, count);
    self->next_ += count;
    self->left_ -= count;
  }

  std::string_view bytes_;
  const char* next_;
  std::size_t left_;
  PngErrors errors_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

class PngWriter {
 public:
  PngWriter() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, &errors_, PngErrors::on_error,
                                   PngErrors::on_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_write_struct(&png_, nullptr);
      throw error::Io("PNG: cannot start libpng");
    }
  }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }

  std::string write(const Tensor& samples) {
    constexpr std::int64_t most = PNG_UINT_31_MAX;
    if (samples.size(0) > most || samples.size(1) > most)
      throw error::Io("PNG: the image is too large");
    const auto height = static_cast<png_uint_32>(samples.size(0));
    const auto width = static_cast<png_uint_32>(samples.size(1));
    const int colour = samples.size(2) == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB;
    const bool wide = samples.element_size() == 2;
    auto rows = row_pointers(samples);
    png_bytepp first_row = rows.data();
    errors_.run([=, this] {
      png_set_write_fn(png_, this, on_write, nullptr);
      png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
      png_set_IHDR(png_, info_, width, height, wide ? 16 : 8, colour, PNG_INTERLACE_NONE,
                   PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
      png_write_info(png_, info_);
      if (wide) png_set_swap(png_);
      png_write_image(png_, first_row);
      png_write_end(png_, nullptr);
    });
    return std::move(bytes_);
  }

 private:
  static void on_write(png_structp png, png_bytep source, std::size_t count) {
    auto* self = static_cast<PngWriter*>(png_get_io_ptr(png));
    bool failed = false;
    try {
      self->bytes_.append(reinterpret_cast<const char*>(source), count);
    } catch (const std::exception&) {
      failed = true;
    }
    if (failed) png_error(png, "not enough memory");
  }

  std::string bytes_;
  PngErrors errors_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

Tensor decode_png(std::string_view bytes, const ImageReadOptions& options, ImageInfo& info) {
  return PngReader(bytes).read(options, info);
}

std::string encode_png(const Tensor& image, const ImageWriteOptions& options) {
  return PngWriter().write(samples_from_image(image, options.samples));
}

}  // namespace tessera::detail
