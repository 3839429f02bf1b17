#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>  // jpeglib.h uses FILE without including it
#include <cstring>
#include <type_traits>

#include <jerror.h>
#include <jpeglib.h>

#include "io/host.hpp"
#include "io/samples.hpp"
#include "tessera/core/error.hpp"

namespace tessera::io {

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

/// Orientation 1 to 8 from the payload of an APP1 marker; 1 if it is not EXIF or has none.
int exif_orientation(const unsigned char* data, std::size_t size) {
  constexpr std::size_t prefix = 6;  // "Exif\0\0", then a TIFF structure
  if (size < prefix + 8 || std::memcmp(data, "Exif\0\0", prefix) != 0) return 1;
  data += prefix;
  size -= prefix;
  const bool little = data[0] == 'I';
  const auto u16 = [&](std::size_t at) -> std::size_t {
    return little ? data[at] | data[at + 1] << 8 : data[at] << 8 | data[at + 1];
  };
  const auto u32 = [&](std::size_t at) {
    return little ? u16(at) | u16(at + 2) << 16 : u16(at) << 16 | u16(at + 2);
  };
  const std::size_t directory = u32(4);
  if (directory > size - 2) return 1;
  const std::size_t entries = std::min(u16(directory), (size - directory - 2) / 12);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    constexpr std::size_t orientation_tag = 0x0112;
    if (u16(entry) == orientation_tag) return static_cast<int>(u16(entry + 8));
  }
  return 1;
}

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

  Tensor read(const std::string& bytes, const ImageReadOptions& options) {
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    const auto size = static_cast<unsigned long>(bytes.size());
    errors_.run([=, this] {
      jpeg_mem_src(&codec_, data, size);
      jpeg_save_markers(&codec_, JPEG_APP0 + 1, 0xffff);
      jpeg_read_header(&codec_, TRUE);
    });
    const std::int64_t width = codec_.image_width;
    const std::int64_t height = codec_.image_height;
    check_pixels(width, height, options.max_pixels);
    // Every 8 x 8 block of the finest component costs at least one bit, unless arithmetic coding is
    // used.
    if (codec_.arith_code == FALSE) {
      check_plausible(static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height), size,
                      8 * 64);
    }
    const bool grey = codec_.jpeg_color_space == JCS_GRAYSCALE;
    if (!grey && codec_.jpeg_color_space != JCS_YCbCr && codec_.jpeg_color_space != JCS_RGB) {
      throw error::Io(
          "JPEG: has neither grey nor RGB colours (CMYK, perhaps): convert it to RGB first");
    }
    codec_.out_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;

    const int turned =
        options.apply_orientation ? orientation() : 1;  // finishing forgets the markers

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
    return upright(image_from_samples(samples), turned);
  }

 private:
  int orientation() const {
    for (const auto* marker = codec_.marker_list; marker != nullptr; marker = marker->next) {
      const int found = exif_orientation(marker->data, marker->data_length);
      if (found != 1) return found;
    }
    return 1;
  }

  /// A small progressive file can ask for thousands of passes over a large image.
  static void limit_scans(j_common_ptr codec) {
    constexpr int most_scans = 500;
    if (reinterpret_cast<j_decompress_ptr>(codec)->input_scan_number > most_scans)
      ERREXIT(codec, JERR_BAD_PROGRESSION);
  }

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

}  // namespace

Tensor decode_jpeg(const std::string& bytes, const ImageReadOptions& options) {
  return JpegReader().read(bytes, options);
}

std::string encode_jpeg(const Tensor& image, const ImageWriteOptions& options) {
  return JpegWriter().write(samples_from_image(image, SampleType::u8), options.jpeg_quality);
}

}  // namespace tessera::io
