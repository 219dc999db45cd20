#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the compiled core asks of the world, and keeps.

The sys/ libraries of a build, taken together, may leave undefined only the names that
include/rumpus/host.h declares and memcpy, memmove, memset, memcmp. A driver's ifnet half may
besides use the core and what its own X_host.h declares. Neither may hold writable data.

  tests/check/symbols.py BUILD
"""
import glob
import os
import re
import subprocess
import sys

import tree

LIBC = {"memcpy", "memmove", "memset", "memcmp"}
LINKER = {"_GLOBAL_OFFSET_TABLE_"}  # made by the linker for position-independent references
WRITABLE = re.compile(r"^(\.data(?!\.rel\.ro)|\.bss|\.tdata|\.tbss|\*COM\*)")


def declared(path):
    """The function names that a header declares."""
    if not os.path.isfile(os.path.join(tree.ROOT, path)):
        return set()
    text = re.sub(r"/\*.*?\*/", "", tree.read(path), flags=re.S)
    return set(re.findall(r"\b(\w+)\s*\([^;{]*\)\s*;", text))


def symbols(library):
    """(defined names, undefined {name: object}, writable [(object, name, section)]) of an archive."""
    out = subprocess.run(["nm", "-f", "sysv", library], stdout=subprocess.PIPE, check=True).stdout
    defined, undefined, writable, member = set(), {}, [], "?"
    for line in out.decode().splitlines():
        head = re.match(r"^(?:Symbols from|Undefined symbols from) .*\[(.*)\]:$", line)
        member = head.group(1) if head else member
        cells = [c.strip() for c in line.split("|")]
        if len(cells) != 7 or cells[0] == "Name":
            continue
        name, kind, section = cells[0], cells[2], cells[6]
        if kind in "Uw":
            undefined.setdefault(name, member)
            continue
        if kind.isupper() or kind == "t":
            defined.add(name)
        if WRITABLE.match(section):
            writable.append((member, name, section))
    return defined, undefined, writable


def check(library, known, bad):
    defined, undefined, writable = symbols(library)
    name = os.path.basename(library)
    for member, symbol, section in writable:
        bad.append(f"{name}({member}): {symbol} is writable data ({section})")
    for symbol, member in sorted(undefined.items()):
        if symbol not in known | defined | LINKER:
            bad.append(f"{name}({member}): {symbol} is neither in the core nor in host.h")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    core = sorted(glob.glob(os.path.join(sys.argv[1], "libsys_*.a")))
    core = [c for c in core if not c.endswith("_testutil.a")]
    if not core:
        sys.exit(f"symbols: no library of the core in {sys.argv[1]}")
    known = LIBC | declared("include/rumpus/host.h")
    if "host_panic" not in known:
        sys.exit("symbols: include/rumpus/host.h could not be read")
    for library in core:
        known |= symbols(library)[0]
    bad = []
    for library in core:
        check(library, known, bad)
    for library in sorted(glob.glob(os.path.join(sys.argv[1], "libdev_*.a"))):
        driver = os.path.basename(library)[len("libdev_"):-2]
        if not driver.endswith(("_linux", "_testutil")):
            check(library, known | declared(f"dev/{driver}/{driver}_host.h"), bad)
    print("\n".join(bad), end="\n" if bad else "")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
