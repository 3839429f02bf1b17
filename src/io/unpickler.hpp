// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "io/byte_cursor.hpp"
#include "tessera/core/tensor.hpp"

/// A reader for the pickles of torch.save that runs nothing: a pickle is a program for a stack
/// machine which may call any function it can name; this machine knows the few that weights need.
namespace tessera::detail::pickle {

struct None {};
/// What GLOBAL may name.
enum class Function { ordered_dict, rebuild_tensor, rebuild_parameter };
struct StorageType {
  at::ScalarType type;
};
/// An integer of more than 64 bits, as its little-endian bytes.
struct Long {
  std::string_view bytes;
};
/// Containers live in the Unpickler and values only point to them: a list that contains itself, or
/// a very deep one, costs nothing to copy or destroy.
struct Sequence {
  std::size_t index;
};
struct Dictionary {
  std::size_t index;
};
struct StorageReference {
  std::size_t index;
};
struct TensorReference {
  std::size_t index;
};
using Value = std::variant<None, bool, std::int64_t, double, std::string_view, Long, Function,
                           StorageType, Sequence, Dictionary, StorageReference, TensorReference>;

using Items = std::vector<Value>;
using Pairs = std::vector<std::pair<Value, Value>>;

/// A block of `count` elements kept elsewhere in the file under `key`.
struct StorageInfo {
  at::ScalarType type;
  std::string_view key;
  std::int64_t count;
};

/// A view of a storage; nothing about it is checked yet but that the numbers are numbers.
struct TensorInfo {
  StorageInfo storage;
  std::int64_t offset;
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> strides;
};

/// Takes time and memory linear in every pickle: arguments are not copied, and tensors and names
/// have bounds.
///
/// Text in the results points into the bytes of the cursor; containers live as long as the
/// Unpickler.
class Unpickler {
 public:
  explicit Unpickler(ByteCursor& cursor) : cursor_(cursor) {}

  /// Reads one pickle and leaves the cursor behind it. Throws error::Io with the bare cause.
  Value load();

  const Items& items(Sequence sequence) const { return sequences_[sequence.index]; }
  const Pairs& pairs(Dictionary dictionary) const { return dictionaries_[dictionary.index]; }
  const TensorInfo& tensor(TensorReference reference) const { return tensors_[reference.index]; }
  const std::deque<StorageInfo>& storages() const { return storages_; }

 private:
  bool step(unsigned char opcode);  // false at STOP
  bool push_constant(unsigned char opcode);
  bool build_container(unsigned char opcode);
  bool use_memo(unsigned char opcode);

  void push(Value value) { stack_.push_back(value); }
  Value pop();
  Items pop_to_mark();
  /// The top of the stack as T; throws if it is something else.
  template <class T>
  T pop_as(const char* what);
  void push_sequence(Items items);
  void append(Items items);
  void set_items(const Items& keys_and_values);
  void push_long();
  void push_global(std::string_view module, std::string_view name);
  void push_storage();
  void reduce();
  void build();
  void rebuild_tensor(const Items& arguments);
  std::vector<std::int64_t> extents(const Value& value) const;

  ByteCursor& cursor_;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint32_t, Value> memo_;  // no hash table: a file could choose its collisions
  std::deque<Items> sequences_;
  std::deque<Pairs> dictionaries_;
  std::deque<StorageInfo> storages_;
  std::deque<TensorInfo> tensors_;
};

}  // namespace tessera::detail::pickle
