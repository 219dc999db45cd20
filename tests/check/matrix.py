#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs/rfc-matrix.md and docs/hostile.md tell the truth about names.

Each name there exists, no packet script is left out of the first, and in the second each row has
tests, and each of them carries the number of its row.
"""
import fnmatch
import glob
import os
import re
import sys

import tree

MATRIX = "docs/rfc-matrix.md"
NAME = re.compile(r"`([\w./*-]+\.(?:c|h|py|pkt))`")


def place(name):
    """The path, from the top of the tree, that a name in the matrix stands for."""
    if name.endswith(".pkt"):
        return "tests/scripts/" + name
    return name if "/" in name else "sys/netinet/" + name


HOSTILE = "docs/hostile.md"
ROWS = [*range(1, 30), *range(46, 64), *range(65, 77), 78, 79, 80]  # at least
ROW = re.compile(r"\| (\d+) \|.*\| ([^|]*) \|$")
NUMBERS = re.compile(r"(?:HOSTILE|rows?|/\*|\()\s*((?:\d+(?:, | and |-)?)+)")


def numbers(text):
    """The rows that a test's text says it is about: `HOSTILE 54-56`, `/* 49, 51: ... */`, `(47)`."""
    found = set()
    for group in NUMBERS.findall(text):
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", group):
            found.update(range(int(first), int(last or first) + 1))
    return found


def test_numbers(name):
    """The rows that a test carries, by `file: test` or the name of a script. None: there is none."""
    path, _, test = name.partition(": ")
    path = place(path)
    if not os.path.isfile(os.path.join(tree.ROOT, path)):
        return None
    text = tree.read(path)
    if path.endswith(".pkt"):
        return numbers(text.splitlines()[0])
    start = "\ndef " if path.endswith(".py") else "\n"
    found = re.search(rf"\n\n([^\n]+\n)*?{start.lstrip()}{test}\((?:.*\n)*?(?=\}}\n|\n\n)", text)
    if not found:
        return None
    in_name = re.match(r"test((?:_\d\d)+)", test)
    return numbers(found.group()) | {int(n) for n in in_name.group(1).split("_")[1:]} if in_name \
        else numbers(found.group())


def hostile(wrong):
    """Looks through docs/hostile.md. => how many tests it names"""
    count, rows = 0, []
    for at, line in enumerate(tree.read(HOSTILE).splitlines(), 1):
        row = ROW.match(line)
        if not row:
            continue
        rows.append(int(row.group(1)))
        named = re.findall(r"`([^`]+)`", row.group(2))
        count += len(named)
        if not named:
            wrong.append(f"{HOSTILE}:{at}: row {rows[-1]} has no test")
        for name in named:
            carried = test_numbers(name)
            if carried is None:
                wrong.append(f"{HOSTILE}:{at}: {name}: there is none")
            elif rows[-1] not in carried:
                wrong.append(f"{HOSTILE}:{at}: {name}: does not say that it is about {rows[-1]}")
    missing = sorted(set(ROWS) - set(rows))
    if missing or rows != sorted(set(rows)):
        wrong.append(f"{HOSTILE}: rows out of order, twice or missing: {missing}")
    return count


def main():
    wrong = []
    count = hostile(wrong)
    named = set()
    for number, line in enumerate(tree.read(MATRIX).splitlines(), 1):
        for name in NAME.findall(line):
            if name in ("*.pkt", "*_test.c") or name == "tests/check/matrix.py":
                continue
            named.add(place(name))
            if not glob.glob(os.path.join(tree.ROOT, place(name))):
                wrong.append(f"{MATRIX}:{number}: {name}: there is none")
    for path in glob.glob(os.path.join(tree.ROOT, "tests/scripts/**/*.pkt"), recursive=True):
        path = os.path.relpath(path, tree.ROOT)
        if not any(fnmatch.fnmatch(path, pattern) for pattern in named):
            wrong.append(f"{path}: not in {MATRIX}; add it to the row of its clause")
        if not re.match(r"// \S", tree.read(path)):
            wrong.append(f"{path}:1: the first line must be // and the clause")
    print("\n".join(sorted(wrong)) or f"matrix: {len(named)} names; {count} tests of hostile input")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
