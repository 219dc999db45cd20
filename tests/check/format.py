#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every .c and .h is as clang-format leaves it (.def lists are laid out by hand)."""
import subprocess
import sys

import tree


def main():
    bad = []
    files = tree.tracked(".c", ".h")
    for path in files:
        done = subprocess.run(["clang-format", path], cwd=tree.ROOT, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        formatted = done.stdout.decode("utf-8", "replace")
        if done.returncode != 0:
            bad.append(f"{path}: {formatted.strip()}")
        elif formatted != tree.read(path):
            pairs = zip(tree.read(path).splitlines() + [None], formatted.splitlines() + [None])
            number = next((n for n, (a, b) in enumerate(pairs, 1) if a != b), 1)
            bad.append(f"{path}:{number}: not as clang-format leaves it (make format)")
    print("\n".join(bad), end="\n" if bad else "")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
