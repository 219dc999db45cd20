#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds every #include of the tree against LAYERS.

Prints `file:line: ...` with the line of LAYERS that forbids it, and exits 1. With --stamp FILE,
writes FILE when all is well (so that the build can depend on it). With --root DIR, checks DIR.
"""
import argparse
import os
import re
import sys

FOLDERS = ("include", "sys", "dev", "host", "server", "client", "preload", "cli", "sim",
           "bench", "tests", "fuzz")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|(<[^>]+>)|(.+))')


def glob_re(glob):
    out, i = "", 0
    while i < len(glob):
        if glob.startswith("**", i):
            out, i = out + ".*", i + 2
            continue
        c = glob[i]
        if c == "*":
            out += "[^/]*"
        elif c == "[" and "]" in glob[i:]:
            end = glob.index("]", i)
            out, i = out + glob[i:end + 1], end
        else:
            out += re.escape(c)
        i += 1
    return re.compile(out + r"\Z")


class Rule:
    """One line of LAYERS: which files, which edges."""

    def __init__(self, number, files, edges):
        self.number = number
        self.globs = [glob_re(f.replace("**/", "**")) for f in files]
        self.allow = []
        self.deny = []
        for edge in edges:
            (self.deny if edge[0] == "!" else self.allow).append(edge.lstrip("!"))

    def covers(self, path):
        return any(g.match(path) for g in self.globs)

    def permits(self, path, target):
        def hit(edge):
            if edge == "own":
                return os.path.dirname(target) == os.path.dirname(path)
            if edge == "@os":
                return target[0] == "<" and not target.startswith("<rumpus/")
            return glob_re(edge).match(target)
        if any(hit(e) for e in self.deny):
            return False
        return any(hit(e) for e in self.allow)


def read_layers(path):
    names, first, added = {}, [], []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.split("#")[0].strip()
            if not line:
                continue
            if line[0] == "@" and "=" in line:
                name, edges = (s.strip() for s in line.split("=", 1))
                names[name] = expand(edges.split(), names, path, number)
                continue
            if "->" not in line:
                sys.exit(f"{path}:{number}: neither a rule nor a name")
            plus = line[0] == "+"
            files, edges = line.lstrip("+ ").split("->", 1)
            rule = Rule(number, files.split(), expand(edges.split(), names, path, number))
            (added if plus else first).append(rule)
    return first, added


def expand(edges, names, path, number):
    out = []
    for edge in edges:
        if edge[0] == "@" and edge != "@os":
            if edge not in names:
                sys.exit(f"{path}:{number}: {edge} is not defined above")
            out += names[edge]
        else:
            out.append(edge)
    return out


def resolve(root, path, name):
    """A quoted include as a path from the top: own folder, then sys/, then the top."""
    for base in (os.path.dirname(path), "sys", ""):
        full = os.path.normpath(os.path.join(base, name))
        if os.path.isfile(os.path.join(root, full)):
            return full
    return None


def sources(root):
    for folder in FOLDERS:
        for where, dirs, names in os.walk(os.path.join(root, folder)):
            dirs[:] = sorted(d for d in dirs if d[0] != ".")
            for name in sorted(names):
                if name.endswith((".c", ".h", ".def")):
                    yield os.path.relpath(os.path.join(where, name), root)


def check_file(root, path, first, added):
    bad = []
    rule = next((r for r in first if r.covers(path)), None)
    if rule is None:
        return [f"{path}:1: no line of LAYERS covers this file"]
    extra = [r for r in added if r.covers(path)]
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        for number, line in enumerate(f, 1):
            m = INCLUDE.match(line)
            if not m:
                continue
            where = f"{path}:{number}"
            if m.group(3):
                bad.append(f"{where}: an include must name its file: {m.group(3).strip()}")
                continue
            target = m.group(2) or resolve(root, path, m.group(1))
            if target is None:
                bad.append(f'{where}: "{m.group(1)}" is no file of the tree')
            elif not any(r.permits(path, target) for r in [rule] + extra):
                bad.append(f"{where}: {os.path.dirname(path)} may not include {target} "
                           f"(LAYERS:{rule.number})")
    return bad


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    args = argparse.ArgumentParser()
    args.add_argument("--root", default=os.path.normpath(os.path.join(here, "..", "..")))
    args.add_argument("--stamp")
    args = args.parse_args()
    first, added = read_layers(os.path.join(args.root, "LAYERS"))
    bad = []
    for path in sources(args.root):
        bad += check_file(args.root, path, first, added)
    print("\n".join(bad), end="\n" if bad else "", file=sys.stderr)
    if not bad and args.stamp:
        with open(args.stamp, "w", encoding="utf-8"):
            pass
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
