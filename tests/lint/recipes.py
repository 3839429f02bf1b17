#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The recipes of cmake/packaging can be read, are of this version, and give switches that there are.

None of this runs Spack or vcpkg.
"""

import json
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
recipes = root / "cmake" / "packaging"
spack = recipes / "spack" / "tessera" / "package.py"
port = recipes / "vcpkg" / "tessera"


def findings():
    cmake = (root / "CMakeLists.txt").read_text()
    version = re.search(r"project\(tessera VERSION ([0-9.]+)", cmake)[1]
    switches = set(re.findall(r"option\((TESSERA_\w+)", cmake))
    components = re.search(r"foreach\(_component ([A-Z0-9 ]+)\)\n  set\(TESSERA_", cmake)[1]
    switches |= {f"TESSERA_{name}" for name in components.split()}

    recipe = spack.read_text()
    compile(recipe, str(spack), "exec")
    manifest = json.loads((port / "vcpkg.json").read_text())
    versions = {spack: re.findall(r'version\("([^"]+)"', recipe), port / "vcpkg.json": [manifest["version"]]}
    for file, found in versions.items():
        if found != [version]:
            yield f"{file.relative_to(root)}: versions {found}, expected {version}"

    portfile = (port / "portfile.cmake").read_text()
    for file, text in {spack: recipe, port / "portfile.cmake": portfile}.items():
        for name in sorted(set(re.findall(r"TESSERA_\w+", text)) - switches):
            yield f"{file.relative_to(root)}: {name} is no switch of CMakeLists.txt"
    for name in manifest["features"]:
        if f"{name} TESSERA_{name.upper()}" not in portfile:
            yield f"{port.relative_to(root)}: the feature {name} is not in portfile.cmake"


if __name__ == "__main__":
    found = list(findings())
    print("\n".join(found) or "recipes: fine")
    sys.exit(bool(found))
