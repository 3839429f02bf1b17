// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/aminmax.h>
#include <fmt/format.h>

#include "io/guard.hpp"
#include "io/host.hpp"
#include "io/tiff_page.hpp"
#include "io/tiff_stack_writer.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"
#include "tessera/io/tiff_stack.hpp"

namespace tessera {

namespace {

at::ScalarType sample_dtype(SampleType type) {
  if (type == SampleType::f32) return at::kFloat;
  return type == SampleType::u8 ? at::kByte : at::kUInt16;
}

Tensor checked_stack(const std::string& path, const Tensor& stack) {
  constexpr std::int64_t longest = std::int64_t{1} << 31;
  const bool ok = stack.defined() && !stack.is_complex() && stack.scalar_type() != at::kBool &&
                  (stack.dim() == 3 || stack.dim() == 5) && stack.numel() > 0 &&
                  stack.size(-1) < longest && stack.size(-2) < longest;
  if (!ok) {
    throw error::ShapeMismatch(
        fmt::format("write_tiff_stack: {}: the stack is {}, expected a real tensor (T, C, D, H, W) "
                    "or (D, H, W)",
                    path, describe(stack)));
  }
  const Tensor host = detail::host_copy(stack);
  return host.dim() == 3 ? host.view({1, 1, host.size(0), host.size(1), host.size(2)}) : host;
}

/// Rows as samples (rows, W, 1), rounded to nearest where they are integers. `path` for what to say
/// of a value that those cannot hold.
Tensor samples_of(const std::string& path, const Tensor& rows, SampleType type) {
  const Tensor pixels = rows.unsqueeze(2).contiguous();
  if (type == SampleType::f32) return pixels.to(at::kFloat);
  const double largest_sample = type == SampleType::u8 ? 255 : 65535;
  const Tensor numbers = pixels.to(at::kDouble);
  const auto [least, most] = at::aminmax(numbers);
  const auto smallest = least.item<double>(), largest = most.item<double>();
  if (!(smallest > -0.5 && largest < largest_sample + 0.5)) {
    throw error::InvalidArgument(
        fmt::format("write_tiff_stack: {}: the values lie between {} and {}, expected 0 to {} for "
                    "integer samples of that size",
                    path, smallest, largest, largest_sample));
  }
  return numbers.round().to(sample_dtype(type));
}

std::string imagej_text(const Extents& shape, const std::optional<VoxelSize>& voxel) {
  std::string text = fmt::format(
      "ImageJ=1.53t\nimages={}\nchannels={}\nslices={}\nframes={}\nhyperstack=true\n"
      "mode=grayscale\nloop=false\n",
      shape[0] * shape[1] * shape[2], shape[1], shape[2], shape[0]);
  if (voxel) text += fmt::format("spacing={}\nunit={}\n", voxel->depth, voxel->unit);
  return text;
}

std::string encode(const std::string& path, const Tensor& stack,
                   const TiffStackWriteOptions& options) {
  detail::TiffStream stream(detail::needs_big_tiff(stack.sizes().vec(), options.samples));
  detail::TiffStackWriter writer(path, stream, stack.sizes().vec(), options);
  for (std::int64_t t = 0; t < stack.size(0); ++t) {
    for (std::int64_t z = 0; z < stack.size(2); ++z) {
      for (std::int64_t c = 0; c < stack.size(1); ++c) writer.write(stack[t][c][z]);
    }
  }
  return stream.finish();
}

}  // namespace

namespace detail {

void check_tiff_options(const char* who, const std::string& path,
                        const TiffStackWriteOptions& options) {
  if (const auto& voxel = options.voxel;
      voxel && !(voxel->depth > 0 && voxel->height > 0 && voxel->width > 0 &&
                 voxel->unit.find('\n') == std::string::npos)) {
    throw error::InvalidArgument(
        fmt::format("{}: {}: the voxel is {} x {} x {}, expected sizes above 0", who, path,
                    voxel->depth, voxel->height, voxel->width));
  }
}

bool needs_big_tiff(const Extents& shape, SampleType samples) {
  // Offsets of 32 bits reach 4 GB; compressed data can be larger than raw ones, if only a little.
  constexpr std::int64_t page_overhead = 1 << 12, limit = std::int64_t{3} << 30;
  const auto sample = static_cast<std::int64_t>(c10::elementSize(sample_dtype(samples)));
  return c10::multiply_integers(shape) * sample + shape[0] * shape[1] * shape[2] * page_overhead >
         limit;
}

TiffStackWriter::TiffStackWriter(const std::string& path, const TiffStream& stream, Extents shape,
                                 const TiffStackWriteOptions& options)
    : path_(path), stream_(stream), shape_(std::move(shape)), options_(options) {}

std::int64_t TiffStackWriter::rows_per_strip(const Extents& shape, SampleType samples) {
  return tiff_rows_per_strip({shape[3], shape[4], 1}, sample_dtype(samples));
}

void TiffStackWriter::begin_page() const {
  TIFF* tiff = stream_.handle();
  if (page_ == 0) {
    TIFFSetField(tiff, TIFFTAG_IMAGEDESCRIPTION, imagej_text(shape_, options_.voxel).c_str());
  } else if (TIFFWriteDirectory(tiff) != 1) {
    stream_.fail("cannot be written");
  }
  if (options_.voxel) {
    TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_NONE);
    TIFFSetField(tiff, TIFFTAG_XRESOLUTION, 1 / options_.voxel->width);
    TIFFSetField(tiff, TIFFTAG_YRESOLUTION, 1 / options_.voxel->height);
  }
  begin_tiff_page(stream_, {shape_[3], shape_[4], 1}, sample_dtype(options_.samples));
}

void TiffStackWriter::write(const Tensor& rows) {
  const Tensor samples = samples_of(path_, rows, options_.samples);
  if (row_ == 0) begin_page();
  write_tiff_rows(stream_, row_, samples);
  row_ += rows.size(0);
  if (row_ < shape_[3]) return;
  row_ = 0;
  ++page_;
}

}  // namespace detail

void write_tiff_stack(const std::string& path, const Tensor& stack,
                      const TiffStackWriteOptions& options) {
  const Tensor checked = checked_stack(path, stack);
  detail::check_tiff_options("write_tiff_stack", path, options);
  const std::string bytes =
      detail::in_file("write_tiff_stack", path, [&] { return encode(path, checked, options); });
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace tessera
