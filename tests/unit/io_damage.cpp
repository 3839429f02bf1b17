// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <optional>

#include "catch.hpp"
#include "files.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/io/safetensors.hpp"
#include "tessera/io/state_dict.hpp"

using namespace tessera;

namespace {

using Reader = std::function<StateDict(const std::string&)>;

Reader reader_for(const std::string& path) {
  const std::string ending = std::filesystem::path(path).extension();
  if (ending == ".npy")
    return [](const std::string& file) { return StateDict{{"", read_npy(file)}}; };
  if (ending == ".pth") return [](const std::string& file) { return read_state_dict(file); };
  if (ending == ".safetensors")
    return [](const std::string& file) { return read_safetensors(file); };
  return [](const std::string& file) {
    return StateDict{{"", read_image(file, {.max_pixels = 1 << 20})}};
  };
}

/// What is read; nothing if it was refused with error::Io. Anything else ends the test.
std::optional<StateDict> attempt(const Reader& read, const std::string& path) {
  try {
    return read(path);
  } catch (const error::Io& e) {
    CHECK_THAT(e.what(), test::contains(path));
    return std::nullopt;
  }
}

bool same(const StateDict& a, const StateDict& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& left, const auto& right) {
                      return left.first == right.first &&
                             left.second.scalar_type() == right.second.scalar_type() &&
                             at::equal(left.second, right.second);
                    });
}

/// All valid files of tests/data/io, and a .safetensors file made here.
std::vector<std::string> valid_files(const test::TemporaryFolder& folder) {
  std::vector<std::string> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(TESSERA_TEST_DATA) + "/io")) {
    if (entry.path().extension() == ".py") continue;
    if (attempt(reader_for(entry.path()), entry.path())) files.push_back(entry.path());
  }
  const std::string made = folder.file("valid.safetensors");
  write_safetensors(made, {{"a", test::indexed({2, 3})}, {"b", test::indexed({4}).to(at::kHalf)}});
  files.push_back(made);
  return files;
}

}  // namespace

TEST_CASE("A file cut at any length is refused", "[io][damage]") {
  const test::TemporaryFolder folder;
  const auto files = valid_files(folder);
  REQUIRE(files.size() > 50);
  for (const std::string& file : files) {
    INFO(file);
    const std::string bytes = test::read_bytes(file);
    const std::string ending = std::filesystem::path(file).extension();
    const std::string cut = folder.file("cut" + ending);
    const Reader read = reader_for(file);
    const StateDict whole = read(file);
    const std::size_t step = 1 + bytes.size() / 150;
    for (std::size_t lost = 1; lost <= bytes.size(); lost += step) {
      INFO(lost << " bytes lost");
      test::write_bytes(cut, bytes.substr(0, bytes.size() - lost));
      const auto rest = attempt(read, cut);
      // The values of the last tags lie at the end of a TIFF, and pixels may not depend on them.
      CHECK((!rest || (ending == ".tif" && same(*rest, whole))));
    }
  }
}

TEST_CASE("A file with a changed byte anywhere is read or refused", "[io][damage]") {
  const test::TemporaryFolder folder;
  std::size_t refused = 0;
  for (const std::string& file : valid_files(folder)) {
    INFO(file);
    std::string bytes = test::read_bytes(file);
    const std::string changed =
        folder.file("changed" + std::filesystem::path(file).extension().string());
    const Reader read = reader_for(file);
    const std::size_t step = 1 + bytes.size() / 200;
    for (std::size_t i = 0; i < bytes.size(); i += step) {
      const char original = bytes[i];
      for (const int change : {0x01, 0x80, 0xff}) {
        INFO(i << " ^ " << change);
        bytes[i] = static_cast<char>(original ^ change);
        test::write_bytes(changed, bytes);
        if (!attempt(read, changed)) ++refused;
      }
      bytes[i] = original;
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("Damaged values of a PyTorch zip or a PNG are noticed", "[io][damage]") {
  const test::TemporaryFolder folder;
  for (const auto& [name, cause] :
       {std::pair{"zip.pth", "checksum"}, std::pair{"rgb8.png", "PNG"}}) {
    std::string bytes = test::read_bytes(std::string(TESSERA_TEST_DATA) + "/io/" + name);
    const std::size_t inside =
        std::string(name) == "zip.pth" ? bytes.find(std::string("\0\0\x80\x3f\0\0\0\x40", 8)) : 60;
    REQUIRE(inside < bytes.size());
    bytes[inside + 3] ^= 1;
    const std::string path = folder.file(name);
    test::write_bytes(path, bytes);
    CHECK_THROWS_WITH(reader_for(path)(path), test::contains(cause));
  }
}

TEST_CASE("Readers name a missing file, a folder, an empty file and a device", "[io][damage]") {
  const test::TemporaryFolder folder;
  const std::string ending = GENERATE(".npy", ".pth", ".safetensors", ".png");
  const Reader read = reader_for("x" + ending);
  CHECK_THROWS_WITH(read(folder.file("missing")),
                    test::contains("missing: cannot open: No such file or directory"));
  CHECK_THROWS_WITH(read(folder.path()), test::contains("is a directory"));
  test::write_bytes(folder.file("nothing"), "");
  CHECK_THROWS_WITH(read(folder.file("nothing")), test::contains("nothing: is empty"));
  CHECK_THROWS_WITH(read("/dev/null"), test::contains("not a plain file"));
}

TEST_CASE("Writers name a folder that is missing, and a target that is a folder", "[io][damage]") {
  const test::TemporaryFolder folder;
  const Tensor image = 0.5 + 0.5 * test::indexed({1, 1, 4, 4});
  const std::vector<std::pair<std::string, std::function<void(const std::string&)>>> writers = {
      {"x.npy", [&](const std::string& path) { write_npy(path, image); }},
      {"x.png", [&](const std::string& path) { write_image(path, image); }},
      {"x.safetensors",
       [&](const std::string& path) {
         write_safetensors(path, {{"a", image}});
       }},
  };
  for (const auto& [name, write] : writers) {
    CHECK_THROWS_WITH(write(folder.file("none/" + name)),
                      test::contains("none/" + name) && test::contains("No such file"));
    std::filesystem::create_directory(folder.file(name));
    CHECK_THROWS_WITH(write(folder.file(name)),
                      test::contains(name) && test::contains("a directory"));
    CHECK_THROWS_AS(write(folder.file(name)), error::Io);
    CHECK_THROWS_AS(write("/dev/full/" + name), error::Io);
  }
  CHECK(folder.entry_count() == writers.size());
}

TEST_CASE("Writers name a folder without permission", "[io][damage]") {
  if (::geteuid() == 0) return;  // root may write everywhere
  const test::TemporaryFolder folder;
  std::filesystem::permissions(
      folder.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  CHECK_THROWS_WITH(write_npy(folder.file("x.npy"), test::indexed({3})),
                    test::contains("Permission denied"));
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
}

TEST_CASE("AtomicFile leaves the old file until commit, and nothing behind", "[io][damage]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.txt");
  test::write_bytes(path, "old");
  {
    AtomicFile file(path);
    file.write("new");
    CHECK(test::read_bytes(path) == "old");
    CHECK(folder.entry_count() == 2);
  }
  CHECK(test::read_bytes(path) == "old");
  CHECK(folder.entry_count() == 1);
  {
    AtomicFile file(path);
    file.write("ne");
    file.write("wer");
    file.commit();
  }
  CHECK(test::read_bytes(path) == "newer");
  CHECK(folder.entry_count() == 1);
}

TEST_CASE("AtomicFile writes through symbolic links", "[io][damage]") {
  const test::TemporaryFolder folder;
  test::write_bytes(folder.file("target"), "old");
  std::filesystem::create_symlink("target", folder.file("link"));
  AtomicFile file(folder.file("link"));
  file.write("new");
  file.commit();
  CHECK(std::filesystem::is_symlink(folder.file("link")));
  CHECK(test::read_bytes(folder.file("target")) == "new");
}

TEST_CASE("AtomicFile: a disk that is full is an error, and the old file stays", "[io][damage]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.npy");
  test::write_bytes(path, "old");
  // A limit on the size of files fails as a full disk does.
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1 << 14, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string message;
  try {
    write_npy(path, test::indexed({1 << 12}));
  } catch (const error::Io& failure) {
    message = failure.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  CHECK_THAT(message, test::contains("cannot write " + path + ": writing failed: File too large"));
  CHECK(test::read_bytes(path) == "old");
  CHECK(folder.entry_count() == 1);
  CHECK_THROWS_WITH(AtomicFile("/dev/full"), test::contains("/dev/full: it is a special file"));
}
