// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/aminmax.h>
#include <fmt/format.h>

#include "io/guard.hpp"
#include "io/host.hpp"
#include "io/tiff_page.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"
#include "tessera/io/tiff_stack.hpp"

namespace tessera {

namespace {

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

void check_range(const std::string& path, const Tensor& stack, double largest_sample) {
  const auto [least, most] = at::aminmax(stack.is_floating_point() ? stack : stack.to(at::kDouble));
  const auto smallest = least.item<double>(), largest = most.item<double>();
  if (!(smallest > -0.5 && largest < largest_sample + 0.5)) {
    throw error::InvalidArgument(
        fmt::format("write_tiff_stack: {}: the values lie between {} and {}, expected 0 to {} for "
                    "integer samples of that size",
                    path, smallest, largest, largest_sample));
  }
}

/// One plane (H, W) as samples (H, W, 1).
Tensor samples_of(const Tensor& plane, SampleType type) {
  const Tensor pixels = plane.unsqueeze(2).contiguous();
  if (type == SampleType::f32) return pixels.to(at::kFloat);
  const Tensor rounded = pixels.to(at::kDouble).round_();
  return rounded.to(type == SampleType::u8 ? at::kByte : at::kUInt16);
}

std::string imagej_text(const Tensor& stack, const std::optional<VoxelSize>& voxel) {
  std::string text = fmt::format(
      "ImageJ=1.53t\nimages={}\nchannels={}\nslices={}\nframes={}\nhyperstack=true\n"
      "mode=grayscale\nloop=false\n",
      stack.size(0) * stack.size(1) * stack.size(2), stack.size(1), stack.size(2), stack.size(0));
  if (voxel) text += fmt::format("spacing={}\nunit={}\n", voxel->depth, voxel->unit);
  return text;
}

std::string encode(const Tensor& stack, const TiffStackWriteOptions& options) {
  const std::size_t sample_size = options.samples == SampleType::u8    ? 1
                                  : options.samples == SampleType::u16 ? 2
                                                                       : 4;
  const auto pages = static_cast<std::size_t>(stack.size(0) * stack.size(1) * stack.size(2));
  // Offsets of 32 bits reach 4 GB; compressed data can be larger than raw ones, if only a little.
  constexpr std::size_t page_overhead = 1 << 12, limit = std::size_t{3} << 30;
  const std::size_t raw = static_cast<std::size_t>(stack.numel()) * sample_size;
  detail::TiffStream stream(raw + pages * page_overhead > limit);
  const std::string text = imagej_text(stack, options.voxel);
  std::size_t written = 0;
  for (std::int64_t t = 0; t < stack.size(0); ++t) {
    for (std::int64_t z = 0; z < stack.size(2); ++z) {
      for (std::int64_t c = 0; c < stack.size(1); ++c) {
        TIFF* tiff = stream.handle();
        if (written == 0) TIFFSetField(tiff, TIFFTAG_IMAGEDESCRIPTION, text.c_str());
        if (options.voxel) {
          TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_NONE);
          TIFFSetField(tiff, TIFFTAG_XRESOLUTION, 1 / options.voxel->width);
          TIFFSetField(tiff, TIFFTAG_YRESOLUTION, 1 / options.voxel->height);
        }
        const Tensor plane = stack.select(0, t).select(0, c).select(0, z);
        detail::write_tiff_page(stream, samples_of(plane, options.samples));
        if (++written < pages && TIFFWriteDirectory(tiff) != 1) stream.fail("cannot be written");
      }
    }
  }
  return stream.finish();
}

}  // namespace

void write_tiff_stack(const std::string& path, const Tensor& stack,
                      const TiffStackWriteOptions& options) {
  const Tensor checked = checked_stack(path, stack);
  if (options.samples != SampleType::f32) {
    check_range(path, checked, options.samples == SampleType::u8 ? 255 : 65535);
  }
  if (const auto& voxel = options.voxel;
      voxel && !(voxel->depth > 0 && voxel->height > 0 && voxel->width > 0 &&
                 voxel->unit.find('\n') == std::string::npos)) {
    throw error::InvalidArgument(
        fmt::format("write_tiff_stack: {}: the voxel is {} x {} x {}, expected sizes above 0", path,
                    voxel->depth, voxel->height, voxel->width));
  }
  const std::string bytes =
      detail::in_file("write_tiff_stack", path, [&] { return encode(checked, options); });
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace tessera
