# SPDX-License-Identifier: BSD-3-Clause
"""A recipe for Spack. From a checkout, with the folder of this file's folder in a Spack repository's
packages: `spack dev-build tessera@0.2.0` (docs/how_to/install.md)."""

from spack.package import *


class Tessera(CMakePackage):
    """Distributed inverse problems: sharded physics, tiled denoisers, plug-and-play solvers."""

    license("BSD-3-Clause")

    version("0.2.0")

    variant("mpi", default=True, description="Ranks over MPI")
    variant("io", default=True, description="Images, weights, runs, reports and tessera_restore")
    variant("fits", default=False, when="+io", description="FITS images")
    variant("hdf5", default=False, when="+io", description="Arrays in HDF5 files")
    variant("engine", default=True, description="Fast convolutions on processors")
    variant("shared", default=False, description="Shared libraries")

    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("py-torch@2.11:2.15", type=("build", "link", "run"))
    depends_on("eigen@3.4:3")
    depends_on("fmt@9:")
    depends_on("highway@1:", when="+engine")
    depends_on("mpi@3:", when="+mpi")
    depends_on("libpng", when="+io")
    depends_on("jpeg", when="+io")
    depends_on("libtiff@4.5:", when="+io")
    depends_on("nlohmann-json@3.7:", when="+io")
    depends_on("cli11", when="+io", type="build")
    depends_on("yaml-cpp", when="+io")
    depends_on("cfitsio", when="+fits")
    depends_on("hdf5@1.10: ~mpi", when="+hdf5")

    conflicts("%gcc@:11", msg="C++20 as tessera uses it needs GCC 12")

    def cmake_args(self):
        torch = join_path(self.spec["py-torch"].package.module.python_platlib, "torch")
        return [
            self.define("TORCH_DIR", torch),
            self.define("TESSERA_NCCL", False),
            self.define("TESSERA_BUILD_TESTS", self.run_tests),
            self.define("TESSERA_BUILD_DOCS", False),
            self.define_from_variant("TESSERA_BUILD_EXAMPLES", "io"),
            self.define_from_variant("TESSERA_MPI", "mpi"),
            self.define_from_variant("TESSERA_IO", "io"),
            self.define_from_variant("TESSERA_FITS", "fits"),
            self.define_from_variant("TESSERA_HDF5", "hdf5"),
            self.define_from_variant("TESSERA_ENGINE", "engine"),
            self.define_from_variant("BUILD_SHARED_LIBS", "shared"),
        ]
