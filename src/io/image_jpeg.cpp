// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>  // jpeglib.h uses FILE without including it
#include <type_traits>
#include <utility>
#include <vector>

#include <jerror.h>
#include <jpeglib.h>

#include "io/host.hpp"
#include "io/samples.hpp"
#include "io/tag_directory.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

/// The error handling of libjpeg: error_exit jumps back into run(), which throws. Only C frames and
/// the steps, which hold nothing to destroy, lie between the two.
class JpegErrors {
 public:
  JpegErrors() {
    jpeg_std_error(&manager_.base);
    manager_.self = this;
    manager_.base.error_exit = on_error;
    manager_.base.emit_message = on_message;
    manager_.base.output_message = [](j_common_ptr) {};
  }
  JpegErrors(const JpegErrors&) = delete;
  JpegErrors& operator=(const JpegErrors&) = delete;

  jpeg_error_mgr* manager() { return &manager_.base; }

  template <class Step>
  void run(const Step& step) {
    static_assert(std::is_trivially_destructible_v<Step>, "the jump skips destructors");
    if (setjmp(jump_) != 0) throw error::Io(fmt::format("JPEG: {}", message_.data()));
    step();
  }

 private:
  struct Manager {
    jpeg_error_mgr base;  // first: libjpeg hands back a pointer to it
    JpegErrors* self;
  };

  static void on_error(j_common_ptr codec) {
    auto* self = reinterpret_cast<Manager*>(codec->err)->self;
    codec->err->format_message(codec, self->message_.data());
    std::longjmp(self->jump_, 1);
  }

  /// libjpeg only warns where it goes on with invented pixels; that is an error here.
  static void on_message(j_common_ptr codec, int level) {
    if (level >= 0) return;
    switch (codec->err->msg_code) {
      case JWRN_EXTRANEOUS_DATA:
      case JWRN_JFIF_MAJOR:
      case JWRN_ADOBE_XFORM:
      case JWRN_TOO_MUCH_DATA:
        return;
      default:
        on_error(codec);
    }
  }

  Manager manager_{};
  std::jmp_buf jump_;
  std::array<char, JMSG_LENGTH_MAX> message_{};
};

/// What follows `label` in the first marker segment before the pixels that has this code and begins
/// with it; empty if there is none. libjpeg's own list of markers takes time quadratic in their
/// number.
std::string_view segment(std::string_view file, int code, std::string_view label) {
  constexpr int start_of_scan = 0xda;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(file[i]); };
  std::size_t at = 2;
  while ((at = file.find('\xff', at)) != std::string_view::npos && at + 4 <= file.size()) {
    const int marker = byte(at + 1);
    if (marker == start_of_scan) break;
    if (marker == 0xff || marker == 0) {  // padding, or no marker
      ++at;
      continue;
    }
    const std::size_t size = std::size_t{byte(at + 2)} << 8 | byte(at + 3);
    const std::string_view data = file.substr(at + 4, std::max<std::size_t>(size, 2) - 2);
    if (marker == code && data.starts_with(label)) return data.substr(label.size());
    at += 2 + size;
  }
  return {};
}

struct FrameSize {
  std::int64_t width = 0;
  std::int64_t height = 0;
};

/// Reads one picture.
class JpegReader {
 public:
  JpegReader() {
    codec_.err = errors_.manager();
    errors_.run([this] { jpeg_create_decompress(&codec_); });
    progress_.progress_monitor = limit_scans;
    codec_.progress = &progress_;
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&codec_); }

  /// Begins with a picture, which must outlive this.
  FrameSize read_header(std::string_view bytes) {
    bytes_ = bytes;
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    const auto size = static_cast<unsigned long>(bytes.size());
    errors_.run([=, this] {
      jpeg_mem_src(&codec_, data, size);
      jpeg_read_header(&codec_, TRUE);
    });
    return {codec_.image_width, codec_.image_height};
  }

  /// After read_header().
  Tensor read(const ImageReadOptions& options, ImageInfo& info) {
    const std::int64_t width = codec_.image_width;
    const std::int64_t height = codec_.image_height;
    check_pixels(width, height, options.max_pixels);
    // Every 8 x 8 block of the finest component costs at least one bit, unless arithmetic coding is
    // used.
    if (codec_.arith_code == FALSE) {
      check_plausible(static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height),
                      bytes_.size(), 8 * 64);
    }
    const bool grey = codec_.jpeg_color_space == JCS_GRAYSCALE;
    if (!grey && codec_.jpeg_color_space != JCS_YCbCr && codec_.jpeg_color_space != JCS_RGB) {
      throw error::Io(
          "JPEG: has neither grey nor RGB colours (CMYK, perhaps): convert it to RGB first");
    }
    codec_.out_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
    info.orientation = exif_orientation(segment(bytes_, JPEG_APP0 + 1, {"Exif\0\0", 6}));

    const Tensor samples = host_tensor({height, width, grey ? 1 : 3}, at::kByte);
    auto* first = samples.mutable_data_ptr<std::uint8_t>();
    const auto stride = static_cast<std::size_t>(samples.stride(0));
    errors_.run([=, this] {
      jpeg_start_decompress(&codec_);
      while (codec_.output_scanline < codec_.output_height) {
        JSAMPROW row = first + stride * codec_.output_scanline;
        jpeg_read_scanlines(&codec_, &row, 1);
      }
      jpeg_finish_decompress(&codec_);
    });
    return image_from_samples(samples);
  }

 private:
  /// A small progressive file can ask for thousands of passes over a large image.
  static void limit_scans(j_common_ptr codec) {
    constexpr int most_scans = 500;
    if (reinterpret_cast<j_decompress_ptr>(codec)->input_scan_number > most_scans)
      ERREXIT(codec, JERR_BAD_PROGRESSION);
  }

  std::string_view bytes_;
  JpegErrors errors_;
  jpeg_progress_mgr progress_{};
  jpeg_decompress_struct codec_{};
};

class JpegWriter {
 public:
  JpegWriter() {
    codec_.err = errors_.manager();
    errors_.run([this] { jpeg_create_compress(&codec_); });
    destination_.base.init_destination = [](j_compress_ptr codec) { refill(codec); };
    destination_.base.empty_output_buffer = [](j_compress_ptr codec) -> boolean {
      drain(codec, sizeof Destination::block);
      return TRUE;
    };
    destination_.base.term_destination = [](j_compress_ptr codec) {
      drain(codec, sizeof Destination::block - codec->dest->free_in_buffer);
    };
    destination_.bytes = &bytes_;
    codec_.dest = &destination_.base;
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;
  ~JpegWriter() { jpeg_destroy_compress(&codec_); }

  std::string write(const Tensor& samples, int quality) {
    if (samples.size(0) > JPEG_MAX_DIMENSION || samples.size(1) > JPEG_MAX_DIMENSION) {
      throw error::Io(
          fmt::format("JPEG: the image has {} x {} pixels, at most {} a side are possible",
                      samples.size(1), samples.size(0), JPEG_MAX_DIMENSION));
    }
    codec_.image_height = static_cast<JDIMENSION>(samples.size(0));
    codec_.image_width = static_cast<JDIMENSION>(samples.size(1));
    codec_.input_components = static_cast<int>(samples.size(2));
    codec_.in_color_space = samples.size(2) == 1 ? JCS_GRAYSCALE : JCS_RGB;
    auto* first = samples.mutable_data_ptr<std::uint8_t>();
    const auto stride = static_cast<std::size_t>(samples.stride(0));
    errors_.run([=, this] {
      jpeg_set_defaults(&codec_);
      jpeg_set_quality(&codec_, quality, TRUE);
      codec_.comp_info[0].h_samp_factor = 1;
      codec_.comp_info[0].v_samp_factor = 1;
      jpeg_start_compress(&codec_, TRUE);
      while (codec_.next_scanline < codec_.image_height) {
        JSAMPROW row = first + stride * codec_.next_scanline;
        jpeg_write_scanlines(&codec_, &row, 1);
      }
      jpeg_finish_compress(&codec_);
    });
    return std::move(bytes_);
  }

 private:
  struct Destination {
    jpeg_destination_mgr base;  // first: libjpeg hands back a pointer to it
    std::string* bytes;
    JOCTET block[1 << 16];
  };

  static Destination* destination(j_compress_ptr codec) {
    return reinterpret_cast<Destination*>(codec->dest);
  }

  static void refill(j_compress_ptr codec) {
    codec->dest->next_output_byte = destination(codec)->block;
    codec->dest->free_in_buffer = sizeof Destination::block;
  }

  static void drain(j_compress_ptr codec, std::size_t count) {
    bool failed = false;
    try {
      destination(codec)->bytes->append(reinterpret_cast<const char*>(destination(codec)->block),
                                        count);
    } catch (const std::exception&) {
      failed = true;
    }
    if (failed) ERREXIT1(codec, JERR_OUT_OF_MEMORY, 0);
    refill(codec);
  }

  std::string bytes_;
  JpegErrors errors_;
  Destination destination_{};
  jpeg_compress_struct codec_{};
};

struct Part {
  std::string_view bytes;  // empty: the file has lost it
  Picture picture;
};

/// Notes the size of a further picture; one that is damaged has none, and is never the largest.
void measure(Part& part) {
  try {
    const FrameSize extents = JpegReader().read_header(part.bytes);
    part.picture.width = extents.width;
    part.picture.height = extents.height;
  } catch (const error::Io&) {
  }
}

/// The pictures of a file that follow the first, as its index tells (CIPA DC-007).
std::vector<Part> further_pictures(std::string_view file) {
  constexpr std::uint16_t entries_tag = 0xb002;
  constexpr std::size_t entry_size = 16;  // attributes, size, offset, two dependent entries
  constexpr std::uint32_t thumbnail_class = 0x01;
  const std::string_view data = segment(file, JPEG_APP0 + 2, {"MPF\0", 4});
  if (data.empty()) return {};
  const auto base = static_cast<std::size_t>(data.data() - file.data());
  const TagDirectory index(data);
  const std::string_view entries = index.bytes(entries_tag);
  std::vector<Part> parts;
  std::size_t budget = file.size();  // pictures do not overlap
  for (std::size_t at = entry_size; at + entry_size <= entries.size(); at += entry_size) {
    const std::size_t size = index.u32(entries, at + 4);
    const std::size_t start = base + index.u32(entries, at + 8);
    Part part;
    part.picture.secondary = (index.u32(entries, at) >> 16 & 0xff) == thumbnail_class;
    if (start < file.size() && size <= file.size() - start && size <= budget) {
      budget -= size;
      part.bytes = file.substr(start, size);
      measure(part);
    }
    parts.push_back(part);
  }
  return parts;
}

}  // namespace

Tensor decode_jpeg(std::string_view bytes, const ImageReadOptions& options, ImageInfo& info) {
  JpegReader first;
  const FrameSize extents = first.read_header(bytes);
  std::vector<Picture> pictures = {{extents.width, extents.height}};
  const std::vector<Part> parts = further_pictures(bytes);
  for (const Part& part : parts) pictures.push_back(part.picture);
  const std::size_t chosen = choose_picture(pictures, options, info);
  if (chosen == 0) return first.read(options, info);
  const std::string_view part = parts[chosen - 1].bytes;
  if (part.empty()) {
    throw error::Io(fmt::format("JPEG: is truncated or damaged: page {} is missing", info.page));
  }
  JpegReader other;
  other.read_header(part);
  return other.read(options, info);
}

std::string encode_jpeg(const Tensor& image, const ImageWriteOptions& options) {
  return JpegWriter().write(samples_from_image(image, SampleType::u8), options.jpeg_quality);
}

}  // namespace tessera::detail
