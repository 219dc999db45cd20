#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs/rfc-matrix.md tells the truth about names: each exists, and no packet script is left out."""
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


def main():
    wrong = []
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
    print("\n".join(sorted(wrong)) or f"matrix: {len(named)} names")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
