#include <filesystem>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/io/default_weights.hpp"
#include "tessera/io/state_dict.hpp"

using namespace tessera;

TEST_CASE("default_weights is a file that holds a colour DRUNet", "[io][weights]") {
  const std::string path = default_weights();
  INFO(path);
  REQUIRE(std::filesystem::is_regular_file(path));
  CHECK(std::filesystem::file_size(path) < (4 << 20));
  const StateDict weights = read_state_dict(path);
  REQUIRE(weights.contains("m_head.weight"));
  REQUIRE(weights.contains("m_tail.weight"));
  CHECK(weights.at("m_head.weight").size(1) == 4);
  CHECK(weights.at("m_tail.weight").size(0) == 3);
  for (const auto& [name, tensor] : weights) {
    INFO(name);
    CHECK(tensor.to(at::kFloat).isfinite().all().item<bool>());
    CHECK(tensor.abs().max().item<double>() > 0);
  }
}
