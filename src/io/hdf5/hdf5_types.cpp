// SPDX-License-Identifier: BSD-3-Clause
#include "io/hdf5/hdf5_types.hpp"

#include <fmt/format.h>

#include "io/guard.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

Hdf5Id copy_of(hid_t type) {
  return opened(H5Tcopy(type), H5Tclose, "a type cannot be made");
}

Hdf5Id complex_type(hid_t part, const char* real, const char* imaginary) {
  const std::size_t size = H5Tget_size(part);
  Hdf5Id type = opened(H5Tcreate(H5T_COMPOUND, 2 * size), H5Tclose, "a type cannot be made");
  checked(H5Tinsert(type, real, 0, part), "a type cannot be made");
  checked(H5Tinsert(type, imaginary, size, part), "a type cannot be made");
  return type;
}

std::string member_name(hid_t type, unsigned index) {
  char* name = H5Tget_member_name(type, index);
  if (name == nullptr) fail_hdf5("is damaged: a compound cannot be read");
  std::string result(name);
  H5free_memory(name);
  return result;
}

[[noreturn]] void refuse(const std::string& what) {
  throw error::Io(fmt::format(
      "has {}, expected floating, complex (compounds of r and i, or real and imag) or integer "
      "numbers, or bools",
      what));
}

Hdf5Reading float_reading(std::size_t size) {
  if (size == 2 || size == 4) return {copy_of(H5T_NATIVE_FLOAT), at::kFloat};
  if (size == 8) return {copy_of(H5T_NATIVE_DOUBLE), at::kDouble};
  refuse(fmt::format("floating numbers of {} bytes", size));
}

Hdf5Reading integer_reading(hid_t type, std::size_t size) {
  const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
  switch (size) {
    case 1:
      if (!is_signed) return {copy_of(H5T_NATIVE_UINT8), at::kByte};
      return {copy_of(H5T_NATIVE_INT8), at::kChar};
    case 2:
      if (!is_signed) return {copy_of(H5T_NATIVE_UINT16), at::kUInt16};
      return {copy_of(H5T_NATIVE_INT16), at::kShort};
    case 4:
      if (!is_signed) return {copy_of(H5T_NATIVE_INT64), at::kLong};
      return {copy_of(H5T_NATIVE_INT32), at::kInt};
    case 8:
      if (is_signed) return {copy_of(H5T_NATIVE_INT64), at::kLong};
      break;
    default:
      break;
  }
  refuse(fmt::format("{} integers of {} bytes", is_signed ? "signed" : "unsigned", size));
}

Hdf5Reading complex_reading(hid_t type) {
  if (H5Tget_nmembers(type) != 2) refuse("compounds of other members");
  const std::string real = member_name(type, 0), imaginary = member_name(type, 1);
  const bool known = (real == "r" && imaginary == "i") || (real == "real" && imaginary == "imag");
  const Hdf5Id first = opened(H5Tget_member_type(type, 0), H5Tclose, "a type cannot be read");
  const Hdf5Id second = opened(H5Tget_member_type(type, 1), H5Tclose, "a type cannot be read");
  if (!known || H5Tget_class(first) != H5T_FLOAT || H5Tget_class(second) != H5T_FLOAT ||
      H5Tget_size(first) != H5Tget_size(second)) {
    refuse(fmt::format("compounds of {} and {}", in_quotes(real), in_quotes(imaginary)));
  }
  const Hdf5Reading part = float_reading(H5Tget_size(first));
  return {complex_type(part.memory, real.c_str(), imaginary.c_str()),
          part.type == at::kFloat ? at::kComplexFloat : at::kComplexDouble};
}

/// h5py's bool: an enumeration FALSE = 0, TRUE = 1 of one byte.
Hdf5Id bool_type() {
  Hdf5Id type = opened(H5Tenum_create(H5T_NATIVE_INT8), H5Tclose, "a type cannot be made");
  for (const auto& [name, value] : {std::pair<const char*, std::int8_t>{"FALSE", std::int8_t{0}},
                                    std::pair<const char*, std::int8_t>{"TRUE", std::int8_t{1}}}) {
    checked(H5Tenum_insert(type, name, &value), "a type cannot be made");
  }
  return type;
}

}  // namespace

Hdf5Reading hdf5_reading(hid_t file_type) {
  switch (H5Tget_class(file_type)) {
    case H5T_FLOAT:
      return float_reading(H5Tget_size(file_type));
    case H5T_INTEGER:
      return integer_reading(file_type, H5Tget_size(file_type));
    case H5T_COMPOUND:
      return complex_reading(file_type);
    case H5T_ENUM: {
      Hdf5Id type = bool_type();
      if (H5Tequal(type, file_type) > 0) return {std::move(type), at::kBool};
      refuse("an enumeration");
    }
    case H5T_STRING:
      refuse("text");
    default:
      refuse("elements of another type");
  }
}

std::optional<Hdf5Id> hdf5_type_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return copy_of(H5T_IEEE_F32LE);
    case at::kDouble:
      return copy_of(H5T_IEEE_F64LE);
    case at::kComplexFloat:
      return complex_type(H5T_IEEE_F32LE, "r", "i");
    case at::kComplexDouble:
      return complex_type(H5T_IEEE_F64LE, "r", "i");
    case at::kByte:
      return copy_of(H5T_STD_U8LE);
    case at::kUInt16:
      return copy_of(H5T_STD_U16LE);
    case at::kChar:
      return copy_of(H5T_STD_I8LE);
    case at::kShort:
      return copy_of(H5T_STD_I16LE);
    case at::kInt:
      return copy_of(H5T_STD_I32LE);
    case at::kLong:
      return copy_of(H5T_STD_I64LE);
    case at::kBool:
      return bool_type();
    default:
      return std::nullopt;
  }
}

}  // namespace tessera::detail
