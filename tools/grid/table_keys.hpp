// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "grid/config.hpp"
#include "settings/setting.hpp"

namespace grid {

/// The keys that a table of settings gives files, in its order.
template <typename Options>
std::vector<Key> keys_of(const settings::Table<Options>& table) {
  std::vector<Key> keys;
  for (const settings::Setting<Options>& setting : table) {
    if (setting.section == Section::none) continue;
    const Kind kind = setting.member.kind;
    keys.push_back({setting.key_in_files(), setting.section, kind, setting.option()});
    if (!setting.alias.empty()) {
      keys.push_back({setting.alias, setting.section, kind, setting.option(), true});
    }
  }
  return keys;
}

}  // namespace grid
