#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How much of the library's code is in its public headers: lines that are neither blank nor
comments, in include/ and in src/, without the rooms that are compiled by design (COMPILED). And how
long the large example is, which is there to be read. Exit status 1 if the share is less than LEAST,
or the example longer than MOST_OF_EXAMPLE."""
import pathlib
import sys

COMPILED = ["tomography", "fourier", "io", "run", "report"]
ENGINE = "src/engine"
LEAST = 0.6
EXAMPLE = "examples/highres_deblurring"
MOST_OF_EXAMPLE = 1200


def code_lines(path):
    count = 0
    in_comment = False
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if in_comment:
            in_comment = "*/" not in text
            continue
        if text.startswith("/*"):
            in_comment = "*/" not in text
            continue
        count += bool(text) and not text.startswith("//")
    return count


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    shares = {}
    for folder in ("include/tessera", "src"):
        for path in (root / folder).rglob("*"):
            if path.suffix not in (".hpp", ".cpp") or str(path.relative_to(root)).startswith(ENGINE):
                continue
            room = path.relative_to(root / folder).parts[0]
            if room in COMPILED:
                continue
            room = room if "." not in room else "tessera.hpp"
            headers, sources = shares.get(room, (0, 0))
            lines = code_lines(path)
            shares[room] = (headers + lines, sources) if folder != "src" else (headers, sources + lines)
    total_headers = sum(h for h, _ in shares.values())
    total = sum(h + s for h, s in shares.values())
    for room, (headers, sources) in sorted(shares.items()):
        print(f"{room:12} {headers:6} of {headers + sources:6} lines in headers")
    print(f"{'all':12} {total_headers:6} of {total:6} lines in headers: {100 * total_headers / total:.0f} %")
    example = sum(code_lines(path) for path in (root / EXAMPLE).glob("*.[ch]pp"))
    print(f"{EXAMPLE}: {example} lines, at most {MOST_OF_EXAMPLE}")
    return 0 if total_headers >= LEAST * total and example <= MOST_OF_EXAMPLE else 1


if __name__ == "__main__":
    sys.exit(main())
