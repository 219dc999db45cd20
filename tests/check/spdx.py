#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every source file begins with the licence line, exactly spelled (after #! where there is one)."""
import sys

import tree

ID = "SPDX-License-Identifier: BSD-2-Clause"
C_LIKE = (".c", ".h", ".def")
HASH = (".py", ".sh", "meson.build", "meson_options.txt", "Makefile", "LAYERS", ".clang-format",
        ".clang-tidy", ".ci/run", "tests/run")


def main():
    bad = []
    for path in tree.tracked(*C_LIKE, *HASH):
        lines = tree.read(path).splitlines() or [""]
        number = 2 if lines[0].startswith("#!") and len(lines) > 1 else 1
        want = f"/* {ID} */" if path.endswith(C_LIKE) else f"# {ID}"
        if lines[number - 1] != want:
            bad.append(f"{path}:{number}: the first line is to be: {want}")
    print("\n".join(bad), end="\n" if bad else "")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
