// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/state_dict.hpp"

#include <ATen/ops/as_strided.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "io/guard.hpp"
#include "io/host.hpp"
#include "io/input_file.hpp"
#include "io/unpickler.hpp"
#include "io/zip_archive.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/safetensors.hpp"

namespace tessera {

namespace {

using detail::pickle::Dictionary;
using detail::pickle::StorageInfo;
using detail::pickle::TensorInfo;
using detail::pickle::TensorReference;
using detail::pickle::Unpickler;
using detail::pickle::Value;

/// Fills the bytes of a storage: (what the pickle says of it, where to, how many).
using StorageReader = std::function<void(const StorageInfo&, void*, std::uint64_t)>;

/// Makes tensors from views of storages; storages that several tensors share are read once.
class TensorFactory {
 public:
  TensorFactory(StorageReader reader, std::uint64_t file_size)
      : reader_(std::move(reader)), file_size_(file_size), budget_(16 * file_size) {}

  Tensor make(const std::string& name, const TensorInfo& info) {
    const std::string shown = detail::in_quotes(name);
    check_view(shown, info);
    const Tensor& whole = storage(info.storage);
    const Tensor view = at::as_strided(whole, info.sizes, info.strides, info.offset);
    if (view.is_contiguous() && view.numel() == whole.numel()) return view;
    // Views of one storage can be many more than the file is long.
    if (view.nbytes() > budget_) throw error::Io("declares far more tensors than it has data for");
    budget_ -= view.nbytes();
    return view.clone(at::MemoryFormat::Contiguous);
  }

 private:
  static void check_view(const std::string& name, const TensorInfo& info) {
    const std::int64_t count = detail::checked_count(info.sizes);
    bool inside = info.sizes.size() == info.strides.size() && info.offset >= 0 &&
                  info.offset <= info.storage.count && count <= info.storage.count;
    std::int64_t last = info.offset;  // the largest element index used
    for (std::size_t i = 0; inside && count > 0 && i < info.sizes.size(); ++i) {
      const std::int64_t steps = info.sizes[i] - 1;
      const std::int64_t stride = info.strides[i];
      inside = stride >= 0 && (steps == 0 || stride <= (info.storage.count - last) / steps);
      if (inside) last += steps * stride;
    }
    inside = inside &&
             std::all_of(info.strides.begin(), info.strides.end(), [](auto s) { return s >= 0; });
    if (!inside || (count > 0 && last >= info.storage.count)) {
      throw error::Io(fmt::format(
          "is damaged: tensor {} has shape {}, strides {} and offset {}, which a storage of {} "
          "elements does "
          "not hold",
          name, to_string(info.sizes), to_string(info.strides), info.offset, info.storage.count));
    }
  }

  const Tensor& storage(const StorageInfo& info) {
    const auto found = storages_.find(info.key);
    if (found == storages_.end()) return storages_.emplace(info.key, load(info)).first->second;
    if (found->second.scalar_type() != info.type || found->second.numel() != info.count) {
      throw error::Io("is damaged: storage " + detail::in_quotes(info.key) +
                      " has two types or sizes");
    }
    return found->second;
  }

  Tensor load(const StorageInfo& info) const {
    // Any byte but 0 and 1 in a bool would be undefined behaviour.
    const bool logical = info.type == at::kBool;
    // More than 2^56 elements are refused here, so that the product fits.
    detail::checked_count({info.count});
    const std::uint64_t size = static_cast<std::uint64_t>(info.count) * c10::elementSize(info.type);
    if (size > file_size_)
      throw error::Io("is truncated: storage " + detail::in_quotes(info.key) +
                      " is larger than it");
    Tensor tensor = detail::host_tensor({info.count}, logical ? at::kByte : info.type);
    reader_(info, tensor.mutable_data_ptr(), size);
    return logical ? tensor.ne(0) : tensor;
  }

  StorageReader reader_;
  std::uint64_t file_size_;
  std::uint64_t budget_;  // bytes that copies of views may still take
  std::map<std::string_view, Tensor> storages_;
};

/// Tensors by name; both belong to the pickle.
using TensorInfos = std::map<std::string_view, const TensorInfo*>;

/// Looks for dictionaries of tensors. One that many entries share is looked at once.
class TensorFinder {
 public:
  explicit TensorFinder(const Unpickler& pickle) : pickle_(pickle) {}

  /// Whether a value is a dictionary that has entries, all of them tensors with text as key.
  bool holds_tensors(const Value& value) {
    const auto* dictionary = std::get_if<Dictionary>(&value);
    if (dictionary == nullptr) return false;
    const auto [known, is_new] = known_.try_emplace(dictionary->index, false);
    if (is_new) {
      const auto& pairs = pickle_.pairs(*dictionary);
      known->second =
          !pairs.empty() && std::all_of(pairs.begin(), pairs.end(), [](const auto& pair) {
            return std::holds_alternative<std::string_view>(pair.first) &&
                   std::holds_alternative<TensorReference>(pair.second);
          });
    }
    return known->second;
  }

  /// The tensors of such a dictionary.
  TensorInfos tensors(const Value& value) const {
    constexpr std::size_t longest_name = 1024;
    TensorInfos found;
    for (const auto& [key, item] : pickle_.pairs(std::get<Dictionary>(value))) {
      const auto name = std::get<std::string_view>(key);
      if (name.size() > longest_name) {
        throw error::Io(fmt::format("has a tensor whose name is {} bytes long, at most {} are read",
                                    name.size(), longest_name));
      }
      found.insert_or_assign(name, &pickle_.tensor(std::get<TensorReference>(item)));
    }
    return found;
  }

 private:
  const Unpickler& pickle_;
  std::map<std::size_t, bool> known_;  // by the dictionary's index
};

[[noreturn]] void refuse_several(const std::vector<std::string_view>& names) {
  constexpr std::size_t shown = 8;
  std::vector<std::string> some;
  for (const auto name : names) {
    if (some.size() == shown) break;
    some.push_back(detail::in_quotes(name));
  }
  throw error::Io(fmt::format("holds several dictionaries of tensors, {}{}: choose one by name",
                              fmt::join(some, ", "), names.size() > shown ? ", ..." : ""));
}

/// The dictionary of tensors that `top` is, or the one it holds (the one named `entry`, unless that
/// is empty).
TensorInfos find_tensors(const Unpickler& pickle, const Value& top, const std::string& entry) {
  TensorFinder finder(pickle);
  if (entry.empty() && finder.holds_tensors(top)) return finder.tensors(top);
  const auto* dictionary = std::get_if<Dictionary>(&top);
  if (dictionary == nullptr) throw error::Io("holds no dictionary of tensors");
  std::vector<std::string_view> names;
  const Value* found = nullptr;
  for (const auto& [key, item] : pickle.pairs(*dictionary)) {
    const auto* name = std::get_if<std::string_view>(&key);
    if (name == nullptr || (!entry.empty() && *name != entry)) continue;
    if (std::holds_alternative<TensorReference>(item)) {
      throw error::Io("mixes tensors, such as " + detail::in_quotes(*name) +
                      ", with other things at its top level");
    }
    if (!finder.holds_tensors(item)) continue;
    if (names.empty() || names.back() != *name) names.push_back(*name);
    found = &item;
  }
  if (names.size() == 1) return finder.tensors(*found);
  if (!entry.empty())
    throw error::Io("has no entry " + detail::in_quotes(entry) +
                    " that is a dictionary of tensors");
  if (names.empty()) throw error::Io("holds no dictionary of tensors");
  refuse_several(names);
}

StateDict make_tensors(const TensorInfos& infos, StorageReader reader, std::uint64_t file_size) {
  TensorFactory factory(std::move(reader), file_size);
  StateDict tensors;
  for (const auto& [name, info] : infos) {
    const std::string text(name);
    tensors.emplace(text, factory.make(text, *info));
  }
  return tensors;
}

/// Layout since PyTorch 1.6: a zip with <folder>/data.pkl, <folder>/data/<key> and a few more.
StateDict read_zip(const detail::InputFile& file, const std::string& entry) {
  const detail::ZipArchive zip(file);
  constexpr std::string_view pickle_name = "/data.pkl";
  const auto found =
      std::find_if(zip.entries().begin(), zip.entries().end(), [&](const auto& record) {
        return record.first.ends_with(pickle_name) &&
               record.first.find('/') == record.first.size() - pickle_name.size();
      });
  if (found == zip.entries().end())
    throw error::Io("is a zip, but not one written by torch.save: it has no data.pkl");
  const std::string folder = found->first.substr(0, found->first.size() - pickle_name.size());
  if (zip.contains(folder + "/byteorder") && zip.read(folder + "/byteorder") != "little") {
    throw error::Io("was written on a big-endian machine, which is not supported");
  }
  const std::string bytes = zip.read(found->first);
  detail::ByteCursor cursor(bytes);
  Unpickler pickle(cursor);
  const auto infos = find_tensors(pickle, pickle.load(), entry);
  const auto read = [&](const StorageInfo& info, void* into, std::uint64_t size) {
    const std::string name = folder + "/data/" + std::string(info.key);
    if (zip.size(name) != size) {
      throw error::Io(fmt::format("is damaged: record {} has {} bytes, expected {}",
                                  detail::in_quotes(name), zip.size(name), size));
    }
    zip.read(name, into);
  };
  return make_tensors(infos, read, file.size());
}

/// Layout before PyTorch 1.6: five pickles (a magic number, a version, the machine, the object, the
/// keys of its storages), then for each key the element count and the elements.
StateDict read_legacy(const detail::InputFile& file, const std::string& entry) {
  constexpr std::string_view magic{"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10};
  const std::string bytes = file.read(0, file.size());
  detail::ByteCursor cursor(bytes);
  Unpickler pickle(cursor);
  const Value start = pickle.load();
  const auto* number = std::get_if<detail::pickle::Long>(&start);
  if (number == nullptr || number->bytes != magic)
    throw error::Io("is a pickle, but not one written by torch.save");
  const Value version = pickle.load();
  if (const auto* given = std::get_if<std::int64_t>(&version); given == nullptr || *given != 1001) {
    throw error::Io(
        "has another version of PyTorch's old layout than 1001; convert it in Python with "
        "torch.save(torch.load(file), file)");
  }
  pickle.load();
  const auto infos = find_tensors(pickle, pickle.load(), entry);

  std::map<std::string_view, std::uint64_t> element_sizes;
  for (const StorageInfo& info : pickle.storages())
    element_sizes[info.key] = c10::elementSize(info.type);
  const Value keys = pickle.load();
  const auto* sequence = std::get_if<detail::pickle::Sequence>(&keys);
  if (sequence == nullptr) throw error::Io("is damaged: the list of storages is missing");
  std::map<std::string_view, std::string_view> data;
  for (const Value& key : pickle.items(*sequence)) {
    const auto* name = std::get_if<std::string_view>(&key);
    const auto size = name == nullptr ? element_sizes.end() : element_sizes.find(*name);
    if (size == element_sizes.end())
      throw error::Io("is damaged: it lists a storage that no tensor uses");
    const auto count = cursor.number<std::uint64_t>();
    if (count > cursor.left())
      throw error::Io("is truncated: storage " + detail::in_quotes(*name) + " is incomplete");
    data[*name] = cursor.take(count * size->second);
  }
  const auto read = [&](const StorageInfo& info, void* into, std::uint64_t size) {
    const auto found = data.find(info.key);
    if (found == data.end() || found->second.size() != size) {
      throw error::Io("is damaged: storage " + detail::in_quotes(info.key) +
                      " is missing or of another size");
    }
    if (size > 0) std::memcpy(into, found->second.data(), size);
  };
  return make_tensors(infos, read, file.size());
}

}  // namespace

StateDict read_state_dict(const std::string& path, const std::string& entry) {
  const std::string start = detail::in_file("read_state_dict", path, [&] {
    const detail::InputFile file(path);
    return file.read(0, std::min<std::uint64_t>(file.size(), 9));
  });
  if (start.size() == 9 && start[8] == '{') {
    if (!entry.empty()) {
      throw error::InvalidArgument(
          fmt::format("read_state_dict: {}: a .safetensors file has no entries such as {}", path,
                      detail::in_quotes(entry)));
    }
    return read_safetensors(path);
  }
  return detail::in_file("read_state_dict", path, [&] {
    const detail::InputFile file(path);
    if (start.starts_with("PK\x03\x04")) return read_zip(file, entry);
    if (start.starts_with('\x80')) return read_legacy(file, entry);
    throw error::Io("is neither a .safetensors file nor one written by torch.save");
  });
}

}  // namespace tessera
