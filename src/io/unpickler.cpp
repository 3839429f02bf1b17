// SPDX-License-Identifier: BSD-3-Clause
#include "io/unpickler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "io/guard.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail::pickle {

namespace {

// Opcodes of Python's pickle protocols 0 to 4, as far as torch.save uses them.
enum Opcode : unsigned char {
  mark = '(',
  stop = '.',
  none = 'N',
  new_true = 0x88,
  new_false = 0x89,
  binint = 'J',
  binint1 = 'K',
  binint2 = 'M',
  long1 = 0x8a,
  binfloat = 'G',
  binunicode = 'X',
  short_binunicode = 0x8c,
  binstring = 'T',
  short_binstring = 'U',
  empty_list = ']',
  append_one = 'a',
  appends = 'e',
  empty_tuple = ')',
  tuple = 't',
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  empty_dict = '}',
  setitem = 's',
  setitems = 'u',
  global = 'c',
  stack_global = 0x93,
  reduce_call = 'R',
  build_state = 'b',
  binpersid = 'Q',
  binput = 'q',
  long_binput = 'r',
  memoize = 0x94,
  binget = 'h',
  long_binget = 'j',
  proto = 0x80,
  frame = 0x95,
};

struct StorageClass {
  std::string_view name;
  at::ScalarType type;
};

constexpr std::array storage_classes{
    StorageClass{"DoubleStorage", at::kDouble}, StorageClass{"FloatStorage", at::kFloat},
    StorageClass{"HalfStorage", at::kHalf},     StorageClass{"BFloat16Storage", at::kBFloat16},
    StorageClass{"LongStorage", at::kLong},     StorageClass{"IntStorage", at::kInt},
    StorageClass{"ShortStorage", at::kShort},   StorageClass{"CharStorage", at::kChar},
    StorageClass{"ByteStorage", at::kByte},     StorageClass{"BoolStorage", at::kBool},
};

[[noreturn]] void damaged(const char* what) {
  throw error::Io(fmt::format("has a damaged pickle: {}", what));
}

}  // namespace

Value Unpickler::load() {
  stack_.clear();
  marks_.clear();
  memo_.clear();
  while (step(cursor_.number<unsigned char>())) {
  }
  return pop();
}

bool Unpickler::step(unsigned char opcode) {
  switch (opcode) {
    case stop:
      return false;
    case proto:
      if (const auto version = cursor_.number<unsigned char>(); version > 5) {
        throw error::Io(fmt::format("has pickle protocol {}, which is not supported", version));
      }
      return true;
    case frame:
      cursor_.take(8);
      return true;
    case mark:
      marks_.push_back(stack_.size());
      return true;
    case global: {
      const std::string_view module = cursor_.line();
      push_global(module, cursor_.line());
      return true;
    }
    case stack_global: {
      const auto name = pop_as<std::string_view>("the name of a global");
      push_global(pop_as<std::string_view>("the module of a global"), name);
      return true;
    }
    case binpersid:
      push_storage();
      return true;
    case reduce_call:
      reduce();
      return true;
    case build_state:
      build();
      return true;
    default:
      if (push_constant(opcode) || build_container(opcode) || use_memo(opcode)) return true;
      throw error::Io(fmt::format(
          "has pickle opcode 0x{:02x}, which weights do not need and this reader does not know",
          opcode));
  }
}

bool Unpickler::push_constant(unsigned char opcode) {
  switch (opcode) {
    case none:
      push(None{});
      return true;
    case new_true:
      push(true);
      return true;
    case new_false:
      push(false);
      return true;
    case binint:
      push(std::int64_t{cursor_.number<std::int32_t>()});
      return true;
    case binint1:
      push(std::int64_t{cursor_.number<std::uint8_t>()});
      return true;
    case binint2:
      push(std::int64_t{cursor_.number<std::uint16_t>()});
      return true;
    case long1:
      push_long();
      return true;
    case binfloat: {  // the one big-endian number of the format
      std::uint64_t bits = 0;
      for (const char byte : cursor_.take(8)) bits = bits << 8 | static_cast<unsigned char>(byte);
      push(std::bit_cast<double>(bits));
      return true;
    }
    case binunicode:
    case binstring:
      push(cursor_.take(cursor_.number<std::uint32_t>()));
      return true;
    case short_binunicode:
    case short_binstring:
      push(cursor_.take(cursor_.number<std::uint8_t>()));
      return true;
    default:
      return false;
  }
}

bool Unpickler::build_container(unsigned char opcode) {
  switch (opcode) {
    case empty_list:
    case empty_tuple:
      push_sequence({});
      return true;
    case tuple:
      push_sequence(pop_to_mark());
      return true;
    case tuple1:
    case tuple2:
    case tuple3: {
      Items items(opcode - tuple1 + std::size_t{1});
      for (auto item = items.rbegin(); item != items.rend(); ++item) *item = pop();
      push_sequence(std::move(items));
      return true;
    }
    case append_one:
      append({pop()});
      return true;
    case appends:
      append(pop_to_mark());
      return true;
    case empty_dict:
      push(Dictionary{dictionaries_.size()});
      dictionaries_.emplace_back();
      return true;
    case setitem: {
      const Value value = pop();
      set_items({pop(), value});
      return true;
    }
    case setitems:
      set_items(pop_to_mark());
      return true;
    default:
      return false;
  }
}

bool Unpickler::use_memo(unsigned char opcode) {
  const auto store = [this](std::uint32_t index) {
    const Value top = pop();
    memo_.insert_or_assign(index, top);
    push(top);
  };
  const auto recall = [this](std::uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) damaged("it recalls what was never memorised");
    push(found->second);
  };
  switch (opcode) {
    case binput:
      store(cursor_.number<std::uint8_t>());
      return true;
    case long_binput:
      store(cursor_.number<std::uint32_t>());
      return true;
    case memoize:
      store(static_cast<std::uint32_t>(memo_.size()));
      return true;
    case binget:
      recall(cursor_.number<std::uint8_t>());
      return true;
    case long_binget:
      recall(cursor_.number<std::uint32_t>());
      return true;
    default:
      return false;
  }
}

Value Unpickler::pop() {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) damaged("its stack is empty");
  const Value value = stack_.back();
  stack_.pop_back();
  return value;
}

Items Unpickler::pop_to_mark() {
  if (marks_.empty()) damaged("a mark is missing");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  Items items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

template <class T>
T Unpickler::pop_as(const char* what) {
  const Value value = pop();
  const T* typed = std::get_if<T>(&value);
  if (typed == nullptr) throw error::Io(fmt::format("has a damaged pickle: {} is missing", what));
  return *typed;
}

void Unpickler::push_sequence(Items items) {
  push(Sequence{sequences_.size()});
  sequences_.push_back(std::move(items));
}

void Unpickler::append(Items items) {
  const auto list = pop_as<Sequence>("the list to append to");
  auto& target = sequences_[list.index];
  target.insert(target.end(), items.begin(), items.end());
  push(list);
}

void Unpickler::set_items(const Items& keys_and_values) {
  if (keys_and_values.size() % 2 != 0) damaged("a dictionary key has no value");
  const auto dictionary = pop_as<Dictionary>("the dictionary to fill");
  auto& target = dictionaries_[dictionary.index];
  for (std::size_t i = 0; i < keys_and_values.size(); i += 2) {
    target.emplace_back(keys_and_values[i], keys_and_values[i + 1]);
  }
  push(dictionary);
}

void Unpickler::push_long() {
  const std::string_view bytes = cursor_.take(cursor_.number<std::uint8_t>());
  if (bytes.size() > sizeof(std::int64_t)) {
    push(Long{bytes});
    return;
  }
  // Two's complement of any width.
  const bool negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80) != 0;
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
    value = value << 8 | static_cast<unsigned char>(*byte);
  }
  push(std::bit_cast<std::int64_t>(value));
}

void Unpickler::push_global(std::string_view module, std::string_view name) {
  const auto is = [&](std::string_view m, std::string_view n) { return module == m && name == n; };
  if (is("collections", "OrderedDict")) return push(Function::ordered_dict);
  // Version 1 lacks the last arguments, which are not used here.
  if (is("torch._utils", "_rebuild_tensor_v2") || is("torch._utils", "_rebuild_tensor")) {
    return push(Function::rebuild_tensor);
  }
  if (is("torch._utils", "_rebuild_parameter")) return push(Function::rebuild_parameter);
  const auto* storage =
      std::find_if(storage_classes.begin(), storage_classes.end(),
                   [&](const StorageClass& known) { return is("torch", known.name); });
  if (storage != storage_classes.end()) return push(StorageType{storage->type});
  throw error::Io(
      fmt::format("names {}, which this reader does not resolve: a file of weights holds "
                  "dictionaries of tensors only "
                  "(save them with torch.save(model.state_dict(), file))",
                  in_quotes(std::string(module) + "." + std::string(name))));
}

/// A persistent id of torch.save: ("storage", class, key, location, element count[, None]).
void Unpickler::push_storage() {
  const Items& id = items(pop_as<Sequence>("the identifier of a storage"));
  const auto text = [&](std::size_t i) {
    return i < id.size() ? std::get_if<std::string_view>(&id[i]) : nullptr;
  };
  const std::string_view* word = text(0);
  const auto* type = id.size() > 1 ? std::get_if<StorageType>(&id[1]) : nullptr;
  const std::string_view* key = text(2);
  const auto* count = id.size() > 4 ? std::get_if<std::int64_t>(&id[4]) : nullptr;
  const bool view = id.size() > 6 || (id.size() == 6 && !std::holds_alternative<None>(id[5]));
  constexpr std::size_t longest_key = 256;
  if (word == nullptr || *word != "storage" || type == nullptr || key == nullptr ||
      key->size() > longest_key || count == nullptr || *count < 0 || view) {
    damaged("a storage has an unknown kind of identifier");
  }
  push(StorageReference{storages_.size()});
  storages_.push_back({type->type, *key, *count});
}

void Unpickler::reduce() {
  const Items& arguments = items(pop_as<Sequence>("a list of arguments"));
  switch (pop_as<Function>("a function to call")) {
    case Function::ordered_dict:
      if (!arguments.empty()) damaged("an OrderedDict with arguments");
      push(Dictionary{dictionaries_.size()});
      dictionaries_.emplace_back();
      return;
    case Function::rebuild_parameter:
      if (arguments.empty() || !std::holds_alternative<TensorReference>(arguments[0])) {
        damaged("a parameter without a tensor");
      }
      push(arguments[0]);
      return;
    case Function::rebuild_tensor:
      rebuild_tensor(arguments);
      return;
  }
}

/// Arguments: storage, offset, sizes, strides, and others that do not matter for the values.
void Unpickler::rebuild_tensor(const Items& arguments) {
  const auto* storage =
      arguments.size() >= 4 ? std::get_if<StorageReference>(&arguments[0]) : nullptr;
  const auto* offset = storage == nullptr ? nullptr : std::get_if<std::int64_t>(&arguments[1]);
  if (offset == nullptr) damaged("a tensor without storage or offset");
  push(TensorReference{tensors_.size()});
  tensors_.push_back(
      {storages_[storage->index], *offset, extents(arguments[2]), extents(arguments[3])});
}

std::vector<std::int64_t> Unpickler::extents(const Value& value) const {
  const auto* sequence = std::get_if<Sequence>(&value);
  if (sequence == nullptr) damaged("a tensor without sizes or strides");
  constexpr std::size_t most_dimensions = 64;
  if (items(*sequence).size() > most_dimensions) damaged("a tensor of too many dimensions");
  std::vector<std::int64_t> result;
  for (const Value& item : items(*sequence)) {
    const auto* number = std::get_if<std::int64_t>(&item);
    if (number == nullptr) damaged("a size or stride that is no number");
    result.push_back(*number);
  }
  return result;
}

/// Attributes of an object. Modules hang `_metadata` on their OrderedDict; values do not depend on
/// it.
void Unpickler::build() {
  pop();
  if (stack_.empty() || !std::holds_alternative<Dictionary>(stack_.back())) {
    damaged("attributes for something other than a dictionary");
  }
}

}  // namespace tessera::detail::pickle
