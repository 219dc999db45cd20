#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 600
"""Each system call gives on the stack what it gives on Linux: result, errno, data, and waiting.

One source is built twice (tests/programs/calls_*.c) and prints a line a call; the lines of both
are compared. Where the stack differs by design, DIFFERENCES says how and why; a difference that
is not there fails, and so does one that is there but no longer seen.
"""
import itertools
import signal
import subprocess
import sys

import libe2e
import wire
from libe2e import equal, expect, test

TOPICS = ("socket", "data", "dgram", "opt", "wait", "fd", "proc")
LIMIT_S = 30
NOBODY = "10.73.0.99"

# topic/case: {line of Linux: (line of the stack, why)}; "line #2" is the second such line.
DIFFERENCES = {
}


def cases(topic):
    return subprocess.run([wire.program(f"calls_{topic}")], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.split()


def run(endpoint, topic, case):
    """The lines that a case prints, and how it ended."""
    process = endpoint.popen(f"calls_{topic}", case, NOBODY, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        out, _ = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _ = process.communicate()
        out += f"did not end within {LIMIT_S} s\n"
    ended = process.returncode
    ended = f"signal {signal.Signals(-ended).name}" if ended < 0 else f"exit {ended}"
    return numbered(out.splitlines() + [ended])


def numbered(lines):
    """The second "x" becomes "x #2"."""
    seen = {}
    for line in lines:
        seen[line] = seen.get(line, 0) + 1
        yield line if seen[line] == 1 else f"{line} #{seen[line]}"


def bare(line):
    return line.rsplit(" #", 1)[0] if line else line


def compare(name, native, stack):
    """What is wrong with the stack's lines, as text; empty: nothing."""
    known = dict(DIFFERENCES.get(name, {}))
    wrong = []
    for want, got in itertools.zip_longest(native, stack):
        if want in known:
            want = known.pop(want)[0]
            if bare(want) != bare(got):
                wrong.append(f"known to be: {want}\n   is now: {got}")
        elif bare(want) != bare(got):
            wrong.append(f"Linux: {want}\n stack: {got}")
    wrong += [f"a known difference was not seen: {line}" for line in known]
    return "\n".join(wrong)


class Bench:
    """One wire and one server for all cases; made when the first needs it."""

    def __init__(self):
        self.wire = self.server = self.before = None

    def make(self):
        self.wire = wire.Wire()
        self.server = self.wire.server("a")
        self.before = libe2e.baseline(self.server, self.wire.b)

    def case(self, topic, case):
        if self.wire is None:
            self.make()
        native = run(self.wire.linux("a"), topic, case)
        wrong = compare(f"{topic}/{case}", native, run(self.server.endpoint, topic, case))
        if not self.server.alive():
            wrong += "\n" + self.server.state()
            self.server = self.wire.server("a")
        expect(not wrong, wrong)


bench = Bench()


def case_test(topic, case):
    @test(f"{topic}/{case}")
    def one():
        bench.case(topic, case)


def lost_client(w):
    server = w.server("a")
    client = server.endpoint.popen("calls_lost", "lost", stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return server, client


def until(client, word):
    """Lines up to that word; read with the tests' own limit of time."""
    lines = []
    for line in client.stdout:
        if line.strip() == word:
            return lines
        lines.append(line.strip())
    raise AssertionError(f"ended before {word}: {lines}")


@test("a server killed under blocked calls: each fails with ENETDOWN; a new server serves on")
def server_lost():
    with wire.Wire() as w:
        server, client = lost_client(w)
        try:
            equal(until(client, "ready"), [], "lines before ready")
            server.process.kill()
            server.process.wait()
            equal(until(client, "gone"),
                  [f"a blocked {c} -> ENETDOWN" for c in "rpaw"] +
                  ['write(lo[0].lo_fd[0], "x", 1) -> ENETDOWN',
                   "socket(AF_INET, SOCK_STREAM, 0) -> ENETDOWN"], "while it is gone")
            again = w.server("a", url=server.url)
            out, _ = client.communicate("there\n", timeout=LIMIT_S)
            equal(out.splitlines(),
                  ['write(lo[0].lo_fd[0], "x", 1) -> EBADF', 'write(fd[0], "again", 5) -> 5',
                   "recv(fd[1], buf, 5, MSG_WAITALL) -> 5"], "with the new server")
            expect(again.alive(), "the new server died")
        finally:
            client.kill()
            client.wait()


for each_topic in TOPICS:
    for each_case in cases(each_topic):
        case_test(each_topic, each_case)


@test("nothing is left in the server after all of them")
def nothing_left():
    if bench.wire is None:
        raise libe2e.Skip("no case was run")
    libe2e.server_alive(bench.server)
    libe2e.settled(bench.server, bench.before, 90)


if __name__ == "__main__":
    sys.exit(libe2e.main())
