#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The rooms of the library in the order of design.md, and a proof from the includes that each uses
only itself and rooms before it. Private headers of src/ belong to the room of their folder.

Prints every arrow that points the wrong way; exit status 1 if there is one."""
import pathlib
import re
import sys

ORDER = ["core", "comm", "physics", "tomography", "fourier", "fidelity", "engine", "denoiser", "prior", "distributed", "solver",
         "metric", "io", "run", "report"]
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def room_of(path, root):
    """The room of a file; None for the umbrella header and for what is in no room."""
    parts = path.relative_to(root).parts
    parts = parts[2:] if parts[0] == "include" else parts[1:]
    return parts[0] if len(parts) > 1 else None


def target_room(included, path, room):
    if included.startswith("tessera/"):
        parts = included.split("/")
        return parts[1] if len(parts) > 2 else "umbrella"
    beside = path.parent / included
    if beside.exists():
        return room
    parts = included.split("/")  # from src/, as "engine/network.hpp", or of the own room
    return parts[0] if parts[0] in ORDER else room


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    wrong = []
    arrows = set()
    files = [path for folder in ("include/tessera", "src") for path in sorted((root / folder).rglob("*"))
             if path.suffix in (".hpp", ".cpp", ".in")]
    for path in files:
        room = room_of(path, root)
        if room is None:
            continue
        if room not in ORDER:
            wrong.append(f"{path.relative_to(root)}: the room '{room}' is not in the list of {__file__}")
            continue
        for included in INCLUDE.findall(path.read_text(encoding="utf-8")):
            other = target_room(included, path, room)
            arrows.add((room, other))
            if other not in ORDER or ORDER.index(other) > ORDER.index(room):
                wrong.append(f"{path.relative_to(root)}: includes {included}, of room '{other}', "
                             f"which '{room}' must not know")
    for line in wrong:
        print(line)
    print(f"{len(files)} files, {len(arrows)} arrows between rooms, {len(wrong)} point the wrong way")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
