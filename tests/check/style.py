#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The measurable rules of the code's style.

Everywhere: a function has at most 100 lines from { to }, 6 parameters and 4 levels of blocks; a .c
has at most 800 lines, a .h 300; a line of a comment at most 110 columns; no typedef of a struct;
goto goes forward, to one label.
In sys/ and the ifnet halves of drivers: no #if but include guards and __cplusplus.
Over sys/ without tests: the functions' median is at most 15 lines, the 90th percentile 50.

Functions are found by the brace in column 0 that clang-format guarantees.
"""
import re
import sys

import tree

HARD, PARAMETERS, NESTING = 100, 6, 4
FILE_LIMIT = {".c": 800, ".h": 300}
MEDIAN, P90 = 15, 50
COLUMNS, TAB = 110, 8
EXCEPTIONS = "tests/check/style-exceptions.txt"
TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
BLOCK = re.compile(r"(\)|\belse|\bdo|:|^\s*)\s?\{$")


def bare(text):
    """The text with comments and literals blanked out, line for line."""
    def blank(m):
        token = m.group(0)
        return token[0] * 2 if token[0] in "\"'" else "\n" * token.count("\n")
    return TOKEN.sub(blank, text)


class Function:
    def __init__(self, name, line, signature, body):
        self.name, self.line, self.signature, self.body = name, line, signature, body

    def lines(self):
        return len(self.body)

    def parameters(self):
        inside = self.signature[self.signature.index("(") + 1:]
        depth, commas = 1, 0
        for c in inside:
            depth += (c == "(") - (c == ")")
            if depth == 0:
                break
            commas += c == "," and depth == 1
        return commas + 1

    def nesting(self):
        stack, deepest = [], 0
        for line in self.body[1:-1]:
            for i, c in enumerate(line):
                if c == "{":
                    stack.append(bool(BLOCK.search(line[:i + 1])) and not line[i + 1:].strip())
                    deepest = max(deepest, sum(stack))
                elif c == "}" and stack:
                    stack.pop()
        return deepest

    def gotos(self):
        """Complaints about this function's gotos, with their lines."""
        labels, used, bad = {}, set(), []
        for n, line in enumerate(self.body):
            m = re.match(r"^\s*(?!default\b)(\w+):(?!:)\s*$", line)
            if m:
                labels[m.group(1)] = n
        for n, line in enumerate(self.body):
            for label in re.findall(r"\bgoto\s+(\w+)", line):
                used.add(label)
                if labels.get(label, n + 1) <= n:
                    bad.append((self.line + n, f"goto {label} goes backward"))
        if len(used) > 1:
            bad.append((self.line, f"{self.name} goes to {len(used)} labels ({', '.join(sorted(used))})"))
        return bad


def functions(code):
    lines, start = code.split("\n"), None
    for n, line in enumerate(lines):
        if line == "{":
            start = n
        elif line.startswith("}") and start is not None:
            head = start - 1
            while head > 0 and lines[head - 1].strip() and lines[head - 1][-1] not in ";}":
                if lines[head - 1].startswith("#"):
                    break
                head -= 1
            signature = " ".join(lines[head:start])
            m = re.search(r"\b(\w+)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", signature))
            if m:
                yield Function(m.group(1), start + 1, signature[signature.index(m.group(1)):],
                               lines[start:n + 1])
            start = None


class Checker:
    def __init__(self):
        self.bad, self.core_lengths, self.needed = [], [], set()
        self.exceptions = {}
        for number, line in enumerate(tree.read(EXCEPTIONS).splitlines(), 1):
            cells = line.split(None, 2)
            if not cells or cells[0][0] == "#":
                continue
            if len(cells) < 3 or not cells[1].isdigit():
                self.say(EXCEPTIONS, number, "PATH[:FUNCTION] LIMIT reason")
                continue
            self.exceptions[cells[0]] = (int(cells[1]), number)

    def say(self, path, line, what):
        self.bad.append(f"{path}:{line}: {what}")

    def within(self, key, value, limit):
        if value <= limit:
            return True
        self.needed.add(key)
        return value <= self.exceptions.get(key, (0, 0))[0]

    def file(self, path):
        text = tree.read(path)
        code, suffix = bare(text), path[-2:]
        if not self.within(path, text.count("\n"), FILE_LIMIT[suffix]):
            self.say(path, 1, f"{text.count(chr(10))} lines, at most {FILE_LIMIT[suffix]}")
        self.comments(path, text)
        if not path.startswith("sys/include/"):
            for m in re.finditer(r"\btypedef\s+(struct|union)\b", code):
                self.say(path, code.count("\n", 0, m.start()) + 1, f"typedef of a {m.group(1)}")
        core = path.startswith("sys/") or re.match(r"dev/\w+/if_", path)
        if core and not re.search(r"_test\.c$|testutil", path):
            self.conditionals(path, code)
        for f in functions(code):
            self.function(path, f)
            if path.startswith("sys/") and not re.search(r"_test\.c$|testutil", path):
                self.core_lengths.append(f.lines())

    def comments(self, path, text):
        for m in TOKEN.finditer(text):
            if m.group(0)[0] != "/":
                continue
            first = text.count("\n", 0, m.start())
            start = text.rfind("\n", 0, m.start()) + 1
            for n, line in enumerate(text[start:m.end()].split("\n"), first + 1):
                if len(line.expandtabs(TAB)) > COLUMNS:
                    self.say(path, n, f"{len(line.expandtabs(TAB))} columns, at most {COLUMNS}")

    def conditionals(self, path, code):
        directives = [(n, line.strip()) for n, line in enumerate(code.split("\n"), 1)
                      if re.match(r"\s*#", line)]
        if path.endswith(".h"):
            guard = re.match(r"#\s*ifndef\s+(\w+)$", directives[0][1]) if directives else None
            second = directives[1][1] if len(directives) > 1 else ""
            if not guard or not re.match(rf"#\s*define\s+{guard.group(1)}$", second):
                self.say(path, 1, "no include guard")
            else:
                directives = directives[2:]
        for n, line in directives:
            if re.match(r"#\s*(if|ifdef|ifndef|elif|else)\b", line):
                if not re.match(r"#\s*ifdef\s+__cplusplus$", line):
                    self.say(path, n, f"conditional compilation in the core: {line}")

    def function(self, path, f):
        key = f"{path}:{f.name}"
        if not self.within(key, f.lines(), HARD):
            self.say(path, f.line, f"{f.name} has {f.lines()} lines, at most {HARD}")
        if not self.within(f"{key}()", f.parameters(), PARAMETERS):
            self.say(path, f.line, f"{f.name} has {f.parameters()} parameters, at most {PARAMETERS}")
        if f.nesting() > NESTING:
            self.say(path, f.line, f"{f.name} is nested {f.nesting()} deep, at most {NESTING}")
        for line, what in f.gotos():
            self.say(path, line, what)

    def finish(self):
        for key, (_, number) in self.exceptions.items():
            if key not in self.needed:
                self.say(EXCEPTIONS, number, f"nothing needs the exception for {key}")
        if self.core_lengths:
            ordered = sorted(self.core_lengths)
            median = ordered[(len(ordered) - 1) // 2]
            p90 = ordered[min(len(ordered) - 1, len(ordered) * 9 // 10)]
            print(f"sys/: {len(ordered)} functions, median {median} lines, 90th percentile {p90}, "
                  f"longest {ordered[-1]}")
            if median > MEDIAN or p90 > P90:
                self.say("sys", 0, f"median at most {MEDIAN}, 90th percentile at most {P90}")
        print("\n".join(self.bad), end="\n" if self.bad else "")
        return 1 if self.bad else 0


def main():
    checker = Checker()
    for path in tree.tracked(".c", ".h"):
        checker.file(path)
    return checker.finish()


if __name__ == "__main__":
    sys.exit(main())
