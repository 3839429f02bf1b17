// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include "io/box_files.hpp"
#include "io/guard.hpp"
#include "io/hdf5/hdf5_types.hpp"
#include "io/host.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/io/atomic_file.hpp"
#include "tessera/io/hdf5.hpp"

namespace tessera {

namespace {

using detail::checked;
using detail::Hdf5Id;
using detail::opened;

constexpr const char* failed = "cannot be written";

bool is_written(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
    case at::kDouble:
    case at::kComplexFloat:
    case at::kComplexDouble:
    case at::kByte:
    case at::kUInt16:
    case at::kChar:
    case at::kShort:
    case at::kInt:
    case at::kLong:
    case at::kBool:
      return true;
    default:
      return false;
  }
}

void check(const char* function, const std::string& path, const std::string& name,
           const Tensor& tensor) {
  if (name.empty() || name.front() == '/' || name.back() == '/') {
    throw error::InvalidArgument(
        fmt::format("{}: {}: a dataset is called {}, expected a name, with its groups before it: "
                    "'group/array'",
                    function, path, detail::in_quotes(name)));
  }
  if (!tensor.defined() || !is_written(tensor.scalar_type()) || tensor.dim() > H5S_MAX_RANK) {
    throw error::InvalidArgument(
        fmt::format("{}: {}: {} is {}, expected float32, float64, complex64, complex128, "
                    "uint8, uint16, int8, int16, int32, int64 or bool",
                    function, path, detail::in_quotes(name), describe(tensor)));
  }
}

/// A contiguous dataset; `in_place`: it has its place in the file at once, and nothing is written
/// there.
Hdf5Id created(hid_t file, const std::string& name, hid_t type, at::IntArrayRef shape,
               bool in_place) {
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  const Hdf5Id space = opened(
      extents.empty() ? H5Screate(H5S_SCALAR)
                      : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
      H5Sclose, failed);
  const Hdf5Id links = opened(H5Pcreate(H5P_LINK_CREATE), H5Pclose, failed);
  checked(H5Pset_create_intermediate_group(links, 1), failed);
  const Hdf5Id plan = opened(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, failed);
  checked(H5Pset_obj_track_times(plan, false), failed);  // equal tensors give equal files
  if (in_place) {
    checked(H5Pset_alloc_time(plan, H5D_ALLOC_TIME_EARLY), failed);
    checked(H5Pset_fill_time(plan, H5D_FILL_TIME_NEVER), failed);
  }
  return opened(H5Dcreate2(file, name.c_str(), type, space, links, plan, H5P_DEFAULT), H5Dclose,
                failed);
}

void write_dataset(hid_t file, const std::string& name, const Tensor& tensor) {
  const auto type = detail::hdf5_type_of(tensor.scalar_type());
  if (!type) throw error::Io(failed);
  const Hdf5Id dataset = created(file, name, *type, tensor.sizes(), false);
  if (tensor.numel() == 0) return;
  checked(H5Dwrite(dataset, *type, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.const_data_ptr()), failed);
}

/// The file in memory.
std::string encode(const StateDict& datasets) {
  constexpr std::size_t step = 1 << 20;
  const Hdf5Id access = opened(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, failed);
  checked(H5Pset_fapl_core(access, step, false), failed);
  checked(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), failed);
  const Hdf5Id file =
      opened(H5Fcreate("image", H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose, failed);
  for (const auto& [name, tensor] : datasets) write_dataset(file, name, detail::host_copy(tensor));
  checked(H5Fflush(file, H5F_SCOPE_LOCAL), failed);
  const ssize_t size = checked(H5Fget_file_image(file, nullptr, 0), failed);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  checked(H5Fget_file_image(file, bytes.data(), bytes.size()), failed);
  return bytes;
}

}  // namespace

void write_hdf5(const std::string& path, const StateDict& datasets) {
  for (const auto& [name, tensor] : datasets) check("write_hdf5", path, name, tensor);
  const std::string bytes = detail::in_file("write_hdf5", path, [&] {
    const detail::Hdf5Session session;
    return encode(datasets);
  });
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void write_hdf5_boxes(const std::string& path, const std::string& dataset, const BoxSpace& space,
                      const Tensor& own) {
  fail_together(space.communicator(), "write_hdf5_boxes",
                [&] { space.check_own(own, "write_hdf5_boxes"); });
  write_hdf5_boxes(path, dataset, space.communicator(), own, space.local(), space.extents());
}

void write_hdf5_boxes(const std::string& path, const std::string& dataset, Communicator& ranks,
                      const Tensor& part, const Box& box, const Extents& extents) {
  const char* who = "write_hdf5_boxes";
  fail_together(ranks, who, [&] { check(who, path, dataset, part); });
  detail::write_array_boxes(
      who, path, ranks, part, box, extents,
      [&](const std::string& name, at::ScalarType type, const Extents& shape) {
        const detail::Hdf5Session session;
        const auto stored = detail::hdf5_type_of(type);
        if (!stored) throw error::Io(failed);
        const Hdf5Id file = opened(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
                                   H5Fclose, failed);
        const Hdf5Id made = created(file, dataset, *stored, shape, true);
        const haddr_t offset = H5Dget_offset(made);
        if (offset == HADDR_UNDEF) detail::fail_hdf5(failed);
        checked(H5Fflush(file, H5F_SCOPE_LOCAL), failed);
        return static_cast<std::int64_t>(offset);
      });
}

}  // namespace tessera
