// SPDX-License-Identifier: BSD-3-Clause
// The table of settings: complete, and every view of it.
#include <fmt/format.h>
#include <torch/version.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "../../examples/highres_deblurring/options.hpp"
#include "catch.hpp"
#include "member_count.hpp"
#include "settings/version.hpp"
#include "settings/views.hpp"
#include "tessera/comm/mpi.hpp"
#include "tessera/core/version.hpp"

namespace {

using Row = settings::Setting<Options>;

/// Something that the setting does not stand at by default.
std::string other_value(const Row& row) {
  static const std::map<std::string, std::string> words = {{"problem", "multiframe_superres"},
                                                           {"border", "valid"},
                                                           {"noise", "poisson"},
                                                           {"preset", "published"},
                                                           {"solver", "pnp"},
                                                           {"fidelity", "l2"},
                                                           {"prior", "red"},
                                                           {"denoiser", "script"},
                                                           {"init_method", "adjoint"},
                                                           {"tiling", "exact"},
                                                           {"dtype", "float64"},
                                                           {"device", "cuda"},
                                                           {"backend", "nccl"},
                                                           {"submit", "slurm"},
                                                           {"denoiser_halo", "layers"}};
  if (const auto word = words.find(row.name); word != words.end()) return word->second;
  if (row.member.form == settings::Form::flag || row.member.form == settings::Form::choice) {
    return "true";
  }
  switch (row.member.kind) {
    case settings::Kind::number:
    case settings::Kind::number_or_auto:
      return "0.75";
    case settings::Kind::integer:
    case settings::Kind::seed:
      return "77";
    case settings::Kind::per_axis:
      return "7x77";
    default:
      return "a/b";
  }
}

std::string page_of_options() {
  return "# Options of highres_deblurring\n\n"
         "Every setting of the program as `--help` has it, and its key in the files of `--config`, "
         "where it has one. Where a default\n"
         "depends on other settings, the meaning has it in brackets. Made from the table in "
         "`examples/highres_deblurring/settings.cpp`.\n" +
         settings::markdown(table());
}

}  // namespace

TEST_CASE("Every member of the settings has a row of its own, and every row a member") {
  STATIC_REQUIRE(test::member_count<std::pair<int, int>>() == 2);
  CHECK(table().size() ==
        test::member_count<UserSettings>() + test::member_count<restoration::RunSettings>());
  std::set<std::string> names;
  for (const Row& row : table()) {
    INFO(row.name);
    CHECK(names.insert(row.name).second);
    Options changed;
    row.member.take(changed, row.option(), {other_value(row)});
    for (const Row& other : table()) {
      INFO(other.name);
      const bool is_changed = other.member.text(changed) != other.member.text(Options());
      CHECK(is_changed == (other.name == row.name));
    }
    const bool has_text = row.member.text(changed) == other_value(row);
    CHECK(has_text);
  }
}

TEST_CASE("What decides the result is an argument and told; what does not is neither") {
  const Options options =
      parse_arguments({"--image-size", "64", "--quiet", "--out", "o", "--resume", "--page", "2",
                       "--save-npy", "--max-image-size", "32"});
  const std::vector<std::string>& arguments = options.arguments;
  const auto position = [&](const char* option) {
    return std::find(arguments.begin(), arguments.end(), option) - arguments.begin();
  };
  const auto end = static_cast<std::ptrdiff_t>(arguments.size());
  for (const char* absent : {"--quiet", "--out", "--resume", "--max-image-size", "--preset",
                             "--plan", "--ranks", "--step-size"}) {
    INFO(absent);
    CHECK(position(absent) == end);
  }
  for (const char* present : {"--page", "--save-npy", "--dpir-weight", "--overlap", "--warmup"}) {
    INFO(present);
    CHECK(position(present) < end);
  }
  CHECK(arguments[static_cast<std::size_t>(position("--image-size")) + 1] == "32");

  std::map<std::string, tessera::SettingValue> told;
  for (const auto& [name, value] :
       settings::summary_values(table(), options, {{"step_size", 0.25}})) {
    told[name] = value;
  }
  CHECK(told.at("image_size") == tessera::SettingValue(std::int64_t{32}));
  CHECK(told.at("solver") == tessera::SettingValue(std::string("dpir")));
  CHECK(told.at("step_size") == tessera::SettingValue(0.25));
  CHECK(told.at("seed") == tessera::SettingValue(std::uint64_t{42}));
  CHECK(told.at("distribute_physics") == tessera::SettingValue(false));
  CHECK_FALSE(told.contains("quiet"));
  CHECK_FALSE(told.contains("ranks"));
}

TEST_CASE("A run's identity follows its method") {
  const auto identity = [](std::vector<std::string> arguments) {
    return settings::identity_of(table(), parse_arguments(std::move(arguments)));
  };
  using Identity = std::map<std::string, std::string>;
  CHECK(identity({}) == Identity{{"problem", "highres_blur"},
                                 {"image_size", "2048"},
                                 {"num_operators", "8"},
                                 {"border", "circular"},
                                 {"noise", "gaussian"},
                                 {"noise_level", "0.1"},
                                 {"seed", "42"},
                                 {"solver", "dpir"},
                                 {"fidelity", "clipped"},
                                 {"denoiser", "drunet"},
                                 {"init_method", "zeros"},
                                 {"tiling", "auto"},
                                 {"patch_size", "448"},
                                 {"overlap", "32"},
                                 {"dtype", "float32"},
                                 {"iterations", "8"},
                                 {"dpir_weight", "0.1"}});
  const Identity falling = identity({"--solver", "pnp"});
  CHECK(falling.at("iterations") == "30");
  CHECK(falling.at("denoiser_sigma_start") == "0.1");
  CHECK(falling.at("step_size") == "auto");
  CHECK_FALSE(falling.contains("dpir_weight"));
  CHECK_FALSE(falling.contains("red_weight"));
  const Identity published = identity({"--preset", "published"});
  CHECK(published.at("step_size") == "0.1");
  CHECK(published.at("denoiser_sigma") == "0.005");
  CHECK_FALSE(published.contains("iterations"));  // of a constant level: more may follow
  CHECK(identity({"--prior", "red"}).at("red_weight") == "4");
  const Identity variation = identity({"--prior", "tv"});
  CHECK(variation.at("tv_weight") == "5");
  CHECK(variation.at("prior") == "tv");
  CHECK_FALSE(variation.contains("denoiser_sigma"));
  const Identity ridge = identity({"--prior", "ridge"});
  CHECK(ridge.at("prior_weight") == "1");
  CHECK(ridge.at("denoiser") == "ridge");
  CHECK(ridge.at("denoiser_sigma") == "0.05");
  CHECK_FALSE(ridge.contains("iterations"));
  const Identity wavelet = identity({"--prior", "wavelet"});
  CHECK(wavelet.at("prior_weight") == "8");
  CHECK_FALSE(wavelet.contains("denoiser_sigma"));
  CHECK_FALSE(variation.contains("prior_weight"));
  const Identity by_levels = identity({"--solver", "proximal_gradient", "--prior", "pnp"});
  CHECK(by_levels.at("denoiser_sigma_start") == "0.1");
  CHECK(by_levels.at("iterations") == "50");
  const Identity counts = identity({"--solver", "mlem"});
  CHECK(counts.at("fidelity") == "poisson");
  CHECK_FALSE(counts.contains("prior"));
  CHECK(identity({"--problem", "multiframe_superres"}).at("factor") == "2");
}

TEST_CASE("Ranks compare every setting but threads and quiet, modes first") {
  Options options = parse_arguments({"--threads", "3", "--no-distribute-physics"});
  const tessera::NamedValues values = settings::compared_values(table(), options);
  std::map<std::string, std::string> all(values.begin(), values.end());
  CHECK(all.size() == table().size() - 2 + 2);  // and the negations of two choices
  CHECK_FALSE(all.contains("--threads"));
  CHECK_FALSE(all.contains("--quiet"));
  CHECK(all.at("--no-distribute-physics") == "given");
  CHECK(all.at("--distribute-physics") == "not given");
  CHECK(all.at("--seed") == "42");
  CHECK(all.at("--report") == "not given");
  const std::set<std::string> first = {values[0].first, values[1].first, values[2].first};
  CHECK(first == std::set<std::string>{"--report", "--config", "--plan"});
}

TEST_CASE("Enums and their words") {
  CHECK(settings::name_of(tessera::Tiling::even) == "auto");
  CHECK(settings::from_name<at::ScalarType>("float64") == at::ScalarType::Double);
  CHECK_FALSE(settings::from_name<restoration::Backend>("gloo").has_value());
}

// "[.write]" writes the page.
TEST_CASE("--version tells what reports of bugs need, a fact in each line") {
  const std::string text = settings::version_text("program");
  INFO(text);
  CHECK(text.starts_with("program (tessera " TESSERA_VERSION ")\ncompiler: "));
  CHECK(text.find("\ncomponents: core denoisers") != std::string::npos);
  CHECK(text.find("\nLibTorch: " TORCH_VERSION "\n") != std::string::npos);
  CHECK(text.find("\nMPI: " + tessera::mpi_library() + "\nCUDA: ") != std::string::npos);
  CHECK(text.find("\nprocessor: ") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 6);
  CHECK(tessera::mpi_library().find("  ") == std::string::npos);
}

TEST_CASE("The page of options is the table's") {
  std::ifstream file(TESSERA_OPTIONS_PAGE);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  INFO("test_example \"[.write]\" writes " << TESSERA_OPTIONS_PAGE << " anew");
  const bool is_the_same = page == page_of_options();
  CHECK(is_the_same);
}

TEST_CASE("Write the page of options", "[.write]") {
  std::ofstream(TESSERA_OPTIONS_PAGE) << page_of_options();
}
