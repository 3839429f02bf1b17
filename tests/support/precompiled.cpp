// SPDX-License-Identifier: BSD-3-Clause
// Gives the precompiled headers of the tests a source file to belong to.
