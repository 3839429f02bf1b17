# SPDX-License-Identifier: BSD-3-Clause
# `cpack` in the build tree: what `cmake --install` installs, as a Debian package. LibTorch is no part of it, and Debian has
# none that fits: docs/how_to/install.md says where the program and find_package look for it.
string(REGEX MATCH "^[0-9]+\\.[0-9]+" _libtorch_minor "${LibTorch_VERSION}")
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tessera)
set(CPACK_PACKAGE_CONTACT "the maintainers of tessera <maintainers@tessera.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "C++ library for distributed inverse problems")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Operators, fidelities, priors, solvers and denoisers of images that MPI ranks or GPUs share, and the program \
tessera_restore. Needs LibTorch ${_libtorch_minor}, which no package of Debian has.")

# What the program loads, by dpkg-shlibdeps, which passes over LibTorch's libraries: they are in no package.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${LibTorch_ROOT}/lib")
# What find_package(tessera) looks for.
set(_needs "libeigen3-dev (>= 3.4)" "libfmt-dev (>= 9)")
if(TESSERA_WITH_ENGINE)
  list(APPEND _needs libhwy-dev)
endif()
if(TESSERA_WITH_MPI)
  if(MPI_CXX_INCLUDE_DIRS MATCHES openmpi)
    list(APPEND _needs libopenmpi-dev)
  else()
    list(APPEND _needs libmpich-dev)
  endif()
endif()
if(TESSERA_WITH_IO)
  list(APPEND _needs libpng-dev libjpeg-dev "libtiff-dev (>= 4.5)" "nlohmann-json3-dev (>= 3.7)")
endif()
if(TESSERA_WITH_FITS)
  list(APPEND _needs libcfitsio-dev)
endif()
if(TESSERA_WITH_HDF5)
  list(APPEND _needs libhdf5-dev)
endif()
list(JOIN _needs ", " CPACK_DEBIAN_PACKAGE_DEPENDS)
include(CPack)
