#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""clang-tidy over the library: tidy.py CLANG_TIDY BUILD_DIRECTORY, which has been configured.

LibTorch's headers take clang-tidy half a minute, file by file half an hour. So there are few units:
one includes every public header, and one for each room every source of src/ (two names of one room
must not clash, then, not even in unnamed namespaces). Checks and the reasons for those left out are
in .clang-tidy. Prints what is found; exit status 1 if there is anything."""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Without -fopenmp: clang's omp.h is in a package of its own.
INCLUDE_FLAG = re.compile(r"-(I|D|isystem|idirafter|std=|f(?!PIC|diagnostics|openmp))")
FINDING = re.compile(r"^(/[^:]+):\d+:\d+: (warning|error): ")


def flags_of(command):
    """The flags that decide what is compiled, without warnings, output and precompiled header."""
    words = shlex.split(command)
    flags = []
    for at, word in enumerate(words):
        if INCLUDE_FLAG.match(word):
            flags.append((word, words[at + 1]) if word in ("-isystem", "-idirafter", "-I", "-D") else (word,))
    return flags


def units(build):
    """Names of the units, each with its files and its flags."""
    rooms = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        path = pathlib.Path(entry["file"])
        if ROOT / "src" not in path.parents or path.name == "absent.cpp":
            continue
        files, flags = rooms.setdefault(path.relative_to(ROOT).parts[1], ([], {}))
        files.append(path)
        flags.update(dict.fromkeys(flags_of(entry["command"])))
    everything = {}
    for _, flags in rooms.values():
        everything.update(flags)
    headers = [path for path in sorted((ROOT / "include").rglob("*.hpp")) if path.parent.name != "detail"]
    return {"headers": (headers, everything), **rooms}


def tidy(program, unit, flags):
    command = [program, "--quiet", f"--config-file={ROOT / '.clang-tidy'}", "--checks=-bugprone-suspicious-include",
               str(unit), "--", *(word for flag in flags for word in flag)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0 and not FINDING.search(result.stdout):
        return f"{unit}:1:1: error: {program} ended with {result.returncode}: {result.stderr}"
    return result.stdout


def can_read_the_headers(program, unit, flags):
    """Whether clang parses LibTorch and the standard library here; not so with every GCC's."""
    unit.write_text("#include <ATen/core/Tensor.h>\n#include <chrono>\n", encoding="utf-8")
    command = [program, "--quiet", "--checks=-*,modernize-use-nullptr", str(unit), "--",
               *(word for flag in flags for word in flag)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode < 0:
        sys.exit(f"{program} was ended by signal {-result.returncode}")
    return "error: " not in result.stdout


def main(program, build):
    folder = build / "tidy"
    folder.mkdir(exist_ok=True)
    jobs = units(build)
    if not can_read_the_headers(program, folder / "probe.cpp", jobs["headers"][1]):
        print("clang-tidy SKIPPED: it cannot read the headers of this machine")
        return 0
    found = set()  # first lines of what was printed: units share headers
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = []
        for name, (files, flags) in jobs.items():
            unit = folder / f"{name}.cpp"
            unit.write_text("".join(f'#include "{path}"\n' for path in files), encoding="utf-8")
            results.append(pool.submit(tidy, program, unit, flags))
        for result in concurrent.futures.as_completed(results):
            is_new = False
            for line in result.result().splitlines():
                if FINDING.match(line):
                    is_new = line not in found
                    found.add(line)
                if is_new:
                    print(line, flush=True)
    print(f"clang-tidy: {len(jobs)} units, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], pathlib.Path(sys.argv[2]).resolve()))
