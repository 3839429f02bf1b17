#include "tessera/solver/observer.hpp"

#include <fmt/format.h>

#include <cstring>

#include "tessera/core/error.hpp"

namespace tessera {

namespace {

constexpr std::size_t size_bytes = sizeof(std::uint64_t);

}  // namespace

// The number of observers, then the size and the bytes of each.
std::string ObserverList::save() const {
  std::string all;
  const auto add_number = [&all](std::uint64_t number) {
    all.append(reinterpret_cast<const char*>(&number), size_bytes);
  };
  add_number(observers_.size());
  for (const Observer& observer : observers_) {
    const std::string saved = observer.save();
    add_number(saved.size());
    all.append(saved);
  }
  return all;
}

void ObserverList::restore(std::string_view saved) {
  const auto take = [&saved](std::uint64_t size) {
    if (size > saved.size()) {
      throw error::InvalidArgument("ObserverList.restore: what was saved is too short");
    }
    const std::string_view bytes = saved.substr(0, size);
    saved.remove_prefix(size);
    return bytes;
  };
  const auto take_number = [&take] {
    std::uint64_t number = 0;
    std::memcpy(&number, take(size_bytes).data(), size_bytes);
    return number;
  };
  const std::uint64_t count = take_number();
  if (count != observers_.size()) {
    throw error::InvalidArgument(
        fmt::format("ObserverList.restore: saved by {} observers, expected as many as there are "
                    "now: {}",
                    count, observers_.size()));
  }
  for (Observer& observer : observers_) observer.restore(take(take_number()));
}

}  // namespace tessera
