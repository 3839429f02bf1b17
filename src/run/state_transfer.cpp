// SPDX-License-Identifier: BSD-3-Clause
#include "state_transfer.hpp"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <set>

#include "io/host.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/detail/gather.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

using nlohmann::json;

/// [dtype, extents...]: enough to allocate a tensor. Ranks run one program, so that a dtype is its
/// number.
json layout_of(const Tensor& tensor) {
  json layout = json::array({static_cast<int>(tensor.scalar_type())});
  for (const std::int64_t extent : tensor.sizes()) layout.push_back(extent);
  return layout;
}

Extents shape_of(const json& layout) {
  return {layout.begin() + 1, layout.end()};
}

at::ScalarType type_of(const json& layout) {
  return static_cast<at::ScalarType>(layout.front().get<int>());
}

Tensor allocated(const json& layout) {
  return detail::host_tensor(shape_of(layout), type_of(layout));
}

Tensor without_values(const json& layout) {
  return at::empty(shape_of(layout), at::TensorOptions(type_of(layout)).device(at::kMeta));
}

Message message(int peer, const Tensor& tensor) {
  return {peer, tensor.mutable_data_ptr(), static_cast<std::int64_t>(tensor.nbytes())};
}

/// [name, operator, layout] of each.
json layouts_of(const MeasuredByOperator& measured) {
  json all = json::array();
  for (const auto& [name, list] : measured) {
    for (const auto& [index, tensor] : list) {
      all.push_back(json::array({name, index, layout_of(tensor)}));
    }
  }
  return all;
}

bool contains(const Held& held, std::int64_t index) {
  return std::find(held.begin(), held.end(), index) != held.end();
}

/// All but the values of tensors. Numbers travel as their bits.
json described(const CheckpointFile& file) {
  const SolverState& state = file.state;
  json numbers = json::array();
  for (const auto& [name, value] : state.numbers) {
    numbers.push_back(json::array({name, std::bit_cast<std::int64_t>(value)}));
  }
  json images = json::array();
  for (const auto& [name, image] : state.images) {
    images.push_back(json::array({name, layout_of(image)}));
  }
  return {{"x", layout_of(state.x)},
          {"images", images},
          {"measured", layouts_of(file.measured)},
          {"numbers", numbers},
          {"iterations", state.iterations},
          {"elapsed_s", std::bit_cast<std::int64_t>(state.elapsed_s)},
          {"relative_change", std::bit_cast<std::int64_t>(state.relative_change)}};
}

double number_of(const json& bits) {
  return std::bit_cast<double>(bits.get<std::int64_t>());
}

/// Throws unless the operators of each variable are those that ranks hold.
void check_operators(const json& measured, const std::vector<Held>& held, const std::string& path) {
  std::map<std::string, std::set<std::int64_t>> in_file;
  for (const json& each : measured) {
    in_file[each[0].get<std::string>()].insert(each[1].get<std::int64_t>());
  }
  std::set<std::int64_t> now;
  for (const Held& each : held) now.insert(each.begin(), each.end());
  for (const auto& [name, indices] : in_file) {
    if (indices == now) continue;
    throw error::InvalidArgument(
        fmt::format("Checkpoint.resume: {} has '{}' of operators [{}], and the ranks hold [{}]. "
                    "CheckpointOptions::held says which ones a rank holds: give it Physics::held()",
                    path, name, fmt::join(indices, ", "), fmt::join(now, ", ")));
  }
}

}  // namespace

std::vector<std::string> broadcast_texts(Communicator& host, std::vector<std::string> texts,
                                         std::size_t count) {
  texts.resize(count);
  std::vector<std::int64_t> sizes;
  for (const std::string& text : texts) sizes.push_back(static_cast<std::int64_t>(text.size()));
  host.broadcast(sizes.data(), static_cast<std::int64_t>(count), DataType::i64, 0);
  for (std::size_t i = 0; i < count; ++i) {
    texts[i].resize(static_cast<std::size_t>(sizes[i]));
    host.broadcast(texts[i].data(), sizes[i], DataType::u8, 0);
  }
  return texts;
}

void check_measured(const std::map<std::string, TensorList>& measured, const Held& held) {
  for (const auto& [name, list] : measured) {
    if (list.size() == held.size()) continue;
    throw error::ShapeMismatch(fmt::format(
        "Checkpoint: '{}' of the solver has {} tensors, expected {}, one per operator in "
        "CheckpointOptions::held: give it Physics::held()",
        name, list.size(), held.size()));
  }
}

MeasuredByOperator by_operator(const std::map<std::string, TensorList>& measured,
                               const Held& held) {
  MeasuredByOperator all;
  for (const auto& [name, list] : measured) {
    for (std::size_t i = 0; i < list.size(); ++i) all[name][held[i]] = list[i];
  }
  return all;
}

MeasuredByOperator gather_measured(Communicator& ranks,
                                   const std::map<std::string, TensorList>& mine,
                                   const Held& held) {
  MeasuredByOperator all = by_operator(mine, held);
  for (auto& [name, list] : all) {
    for (auto& [index, tensor] : list) tensor = detail::host_copy(tensor);
  }
  if (ranks.size() == 1) return all;
  const std::vector<std::string> texts = gather_texts(ranks, layouts_of(all).dump());
  std::vector<Message> sends;
  std::vector<Message> receives;
  std::set<std::pair<std::string, std::int64_t>> taken;
  for (std::size_t rank = 0; rank < texts.size(); ++rank) {
    for (const json& each : json::parse(texts[rank])) {
      const auto name = each[0].get<std::string>();
      const auto index = each[1].get<std::int64_t>();
      if (!taken.insert({name, index}).second || rank == 0) continue;
      if (ranks.is_root()) {
        all[name][index] = allocated(each[2]);
        receives.push_back(message(static_cast<int>(rank), all[name][index]));
      } else if (static_cast<int>(rank) == ranks.rank()) {
        sends.push_back(message(0, all[name][index]));
      }
    }
  }
  ranks.control().exchange(sends, receives, DataType::u8);
  return ranks.is_root() ? all : MeasuredByOperator();
}

SolverState scatter_state(Communicator& ranks, const CheckpointFile& file, const Held& held,
                          at::Device device, const std::string& path, const SharedOut& spaces) {
  Communicator& control = ranks.control();
  const std::string mine = ranks.is_root() ? described(file).dump() : "";
  const json content = json::parse(broadcast_texts(control, {mine}, 1).front());
  std::vector<Held> held_by;
  for (const std::string& text : gather_texts(ranks, json(held).dump())) {
    held_by.push_back(json::parse(text).get<Held>());
  }
  guarded(ranks, "Checkpoint.resume", [&] { check_operators(content["measured"], held_by, path); });

  SolverState state;
  state.iterations = content["iterations"].get<std::int64_t>();
  state.elapsed_s = number_of(content["elapsed_s"]);
  state.relative_change = number_of(content["relative_change"]);
  for (const json& each : content["numbers"]) {
    state.numbers[each[0].get<std::string>()] = number_of(each[1]);
  }
  const auto image = [&](const std::string& name, const Tensor& read, const json& layout) {
    if (spaces.images) {
      return read_part(path, name, without_values(layout), *spaces.images).to(device);
    }
    const Tensor here = ranks.is_root() ? read : allocated(layout);
    control.broadcast(here.mutable_data_ptr(), static_cast<std::int64_t>(here.nbytes()),
                      DataType::u8, 0);
    return here.to(device);
  };
  const auto of_root = [&](const std::string& name) {
    return ranks.is_root() ? file.state.images.at(name) : Tensor();
  };
  state.x = image("x", file.state.x, content["x"]);
  for (const json& each : content["images"]) {
    const auto name = each[0].get<std::string>();
    state.images[name] = image(image_key(name), of_root(name), each[1]);
  }
  if (spaces.images) {
    for (const json& each : content["measured"]) {
      const auto name = each[0].get<std::string>();
      const auto index = each[1].get<std::int64_t>();
      state.measured[name].push_back(read_part(path, measured_key(name, index),
                                               without_values(each[2]), *spaces.measured.at(index))
                                         .to(device));
    }
    return state;
  }

  std::vector<Message> sends;
  std::vector<Message> receives;
  for (const json& each : content["measured"]) {
    const auto name = each[0].get<std::string>();
    const auto index = each[1].get<std::int64_t>();
    TensorList& list = state.measured[name];  // also of a rank that holds nothing
    if (contains(held, index)) {
      const Tensor here = ranks.is_root() ? file.measured.at(name).at(index) : allocated(each[2]);
      if (!ranks.is_root()) receives.push_back(message(0, here));
      list.push_back(here);
    }
    for (std::size_t rank = 1; ranks.is_root() && rank < held_by.size(); ++rank) {
      if (!contains(held_by[rank], index)) continue;
      sends.push_back(message(static_cast<int>(rank), file.measured.at(name).at(index)));
    }
  }
  control.exchange(sends, receives, DataType::u8);
  for (auto& [name, list] : state.measured) {
    for (Tensor& tensor : list) tensor = tensor.to(device);
  }
  return state;
}

}  // namespace tessera::detail
