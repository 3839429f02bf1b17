#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every source file (C++, CMake, shell, Python) names its licence in its first three lines. Prints
those that do not; exit status 1 if there is one."""
import pathlib
import re
import sys

LINE = re.compile(r"^(//|#) SPDX-License-Identifier: BSD-3-Clause$", re.MULTILINE)
SOURCE = re.compile(r"\.(hpp|cpp|h|cmake)(\.in)?$|\.(sh|py)$|^CMakeLists\.txt$")


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    files = [root / "CMakeLists.txt", root / ".ci" / "run"]
    for folder in ("include", "src", "examples", "tools", "tests", "docs", "cmake"):
        files += [path for path in sorted((root / folder).rglob("*"))
                  if SOURCE.search(path.name) and path.is_file()]
    without = []
    for path in files:
        with path.open(encoding="utf-8") as file:
            if not LINE.search("".join(file.readline() for _ in range(3))):
                without.append(path.relative_to(root))
    for path in without:
        print(f"{path}: no line SPDX-License-Identifier: BSD-3-Clause")
    print(f"{len(files)} source files, {len(without)} without a licence line")
    return 1 if without else 0


if __name__ == "__main__":
    sys.exit(main())
