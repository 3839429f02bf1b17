#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every relative link in the project's pages leads to a file of the project, and every #anchor to a
heading there; every page that a source names (docs/... .md) exists. Prints what does not; exit
status 1 if there is anything."""
import pathlib
import re
import sys

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
NAMED = re.compile(r"\bdocs/[\w/]+\.md\b")
SOURCES = {".hpp", ".cpp", ".h", ".sh", ".py", ".cmake", ".txt", ".in", ".yml", ".yaml"}
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page):
    """The names that a heading gets: lower case, blanks as hyphens, most other signs dropped."""
    names = set()
    for line in FENCE.sub("", page.read_text(encoding="utf-8")).splitlines():
        if line.startswith("#"):
            title = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            names.add(title.replace(" ", "-"))
    return names


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    pages = [page for folder in (".", "docs", "examples", "tests", "tools") for page in
             sorted((root / folder).glob("*.md" if folder == "." else "**/*.md"))]
    dead = []
    count = 0
    for page in pages:
        for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
            if re.match(r"[a-z]+:", link):
                continue
            count += 1
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            if not target.exists():
                dead.append(f"{page.relative_to(root)}: {link} does not exist")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target):
                dead.append(f"{page.relative_to(root)}: {link}: no such heading")
    for folder in ("include", "src", "examples", "tests", "tools", "cmake"):
        for source in sorted((root / folder).rglob("*")):
            if source.suffix not in SOURCES or not source.is_file():
                continue
            for name in NAMED.findall(source.read_text(encoding="utf-8", errors="replace")):
                count += 1
                if not (root / name).exists():
                    dead.append(f"{source.relative_to(root)}: {name} does not exist")
    for line in dead:
        print(line)
    print(f"{len(pages)} pages, {count} links within the project, {len(dead)} dead")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
