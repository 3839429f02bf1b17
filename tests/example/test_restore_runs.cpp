// SPDX-License-Identifier: BSD-3-Clause
#include "catch.hpp"
#include "files.hpp"
#include "restore/run.hpp"
#include "restore_quality.hpp"
#include "tessera/comm/self.hpp"

using namespace restore;

// Measured and written by programs of others (tests/data/restore/make_files.py, which prints what
// scikit-image makes of the same files).

TEST_CASE("restore: a photograph", "[restore]") {
  // Measured 24.28 dB, the best of Richardson-Lucy's iterations 26.82 dB.
  CHECK(quality_of(shared_file("photo.yml"), "o.png", "truth.png", 255) > 28.4);
}

TEST_CASE("restore: a burst at twice the resolution", "[restore]") {
  // Bicubic interpolation 25.22 dB, the mean of the aligned frames sharpened by Richardson-Lucy
  // 27.02 dB.
  CHECK(quality_of(shared_file("frames.yml"), "o.tif", "truth.png", 255) > 30.7);
}

TEST_CASE("restore: counted photons", "[restore]") {
  // Measured 24.94 dB; the best of Richardson-Lucy's iterations 29.59 dB, which only the truth
  // finds.
  CHECK(quality_of(shared_file("counts.yml"), "o.npy", "sky.fits", 200) > 29.6);
  CHECK(quality_of(shared_file("counts_drunet.yml"), "o.npy", "sky.fits", 200) > 29.85);
}

TEST_CASE("restore: a volume of photons", "[restore]") {
  // Measured 17.27 dB, the best of Richardson-Lucy's iterations 18.50 dB.
  CHECK(quality_of(shared_file("cells.yml"), "o.tif", "cells.npy", 20000, 255) > 22.0);
}

TEST_CASE("restore: a lens that blurs more to the corners", "[restore]") {
  // Measured 25.03 dB, the best of Richardson-Lucy's iterations with the mean kernel 26.87 dB.
  CHECK(quality_of(shared_file("corners.yml"), "o.png", "truth.png", 255) > 30.3);
}

TEST_CASE("restore: a dry run writes nothing", "[restore]") {
  const test::TemporaryFolder folder;
  CHECK(run({.config = shared_file("photo.yml"),
             .output = folder.file("o.png"),
             .dry_run = true,
             .quiet = true},
            tessera::self_communicator()) == 0);
  CHECK(folder.entry_count() == 0);
}
