// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include "scan.hpp"

/// The scans that there are; see make_scan. Each in a file of its own.

/// Line integrals over an image whose larger side has the length 1. tomography_2d: parallel rays,
/// views over 180 degrees, and detectors as wide as the image's diagonal. tomography_3d: a cone
/// from a source at 4 sides' distance from the axis to a flat detector at 2, a full turn; or the
/// scan of --vectors, in units of voxels.
std::unique_ptr<Scan> make_tomography_scan(const Options& options, at::IntArrayRef spatial);

/// Centred, orthonormal k-space of a real image seen by coils on a circle around it, whose
/// sensitivities' squares add up to 1. Measured are whole lines along the first axis: the 8 %
/// around the centre, and others drawn by the seed, one of options.acceleration altogether.
std::unique_ptr<Scan> make_mri_scan(const Options& options, at::IntArrayRef spatial);

/// The visibilities of antennas on three arms, at options.hours times over eight hours, of a field
/// at 45 degrees declination seen from 35 degrees latitude; the longest baseline resolves two
/// pixels. Parts are interleaved.
std::unique_ptr<Scan> make_radio_scan(const Options& options, at::IntArrayRef spatial);

/// The volume itself, once for each part, with noise, clamped to 0 to 1.
std::unique_ptr<Scan> make_copies_scan(const Options& options);
