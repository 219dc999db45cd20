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

TOPICS = ("socket", "data", "dgram", "opt", "wait", "fd", "proc", "peer")
LIMIT_S = 30
NOBODY, BROADCAST = "10.73.0.99", "10.73.0.255"

# Why the stack differs; under it: topic/case, call (the second of its kind is "call #2"), what
# Linux gives, what the stack gives. Engine names where only one of them differs.
DIFFERENCES = (
)

# What a Linux host does on its end: told by the first line of a connection. Datagrams are echoed.
PEER = """
import socket, struct, sys, threading
def serve(c, addr):
    f = c.makefile("rb", buffering=0)
    what = f.readline().split()
    if what[0] == b"echo":
        while (data := c.recv(65536)):
            c.sendall(data)
    elif what[0] == b"reset":
        c.sendall(b"before")
        f.readline()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif what[0] == b"close":
        c.sendall(b"bye")
    elif what[0] == b"unread":
        while not c.recv(1, socket.MSG_PEEK):
            pass
    elif what[0] == b"count":
        n = 0
        while (data := c.recv(65536)):
            n += len(data)
        c.sendall(b"%d" % n)
    elif what[0] == b"urgent":
        c.send(b"abcX", socket.MSG_OOB)
        f.readline()
        c.sendall(b"def")
        p = __import__("select").poll()
        p.register(c, 2)
        p.poll(5000)
        c.sendall(c.recv(1, socket.MSG_OOB) + c.recv(1))
    elif what[0] == b"call":
        d = socket.create_connection((addr[0], int(what[1])), 5)
        d.sendall(b"hello")
        while (data := d.recv(100)):
            c.sendall(data)
        d.close()
    f.close()
    c.close()
s = socket.create_server(("0.0.0.0", 0))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400000)
u.bind(s.getsockname())
def datagrams():
    while True:
        try:
            u.sendto(*u.recvfrom(65536))
        except OSError:
            pass
threading.Thread(target=datagrams, daemon=True).start()
print("listening 0.0.0.0", s.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=s.accept(), daemon=True).start()
"""


def cases(topic):
    return subprocess.run([wire.program(f"calls_{topic}")], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.split()


def run(endpoint, topic, case, *args):
    """What a case prints, and how it ended: [call, result] each."""
    process = endpoint.popen(f"calls_{topic}", case, *args, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        out, _ = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _ = process.communicate()
        out += f"did not end within {LIMIT_S} s\n"
    code = process.returncode
    code = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
    return numbered(out.splitlines() + [f"the program -> {code}"])


def numbered(lines):
    """The second "x" becomes "x #2"."""
    seen = {}
    for line in lines:
        call, _, result = line.partition(" -> ")
        seen[call] = seen.get(call, 0) + 1
        yield [call if seen[call] == 1 else f"{call} #{seen[call]}", result]


def known(name, engine):
    """{call: (what Linux gives, what the stack gives)}"""
    return {call: (native, stack) for _, rows in DIFFERENCES
            for case, call, native, stack, *only in rows
            if case == name and (not only or engine in only)}


def compare(name, engine, native, stack):
    """What is wrong with the stack's results, as text; empty: nothing."""
    table = known(name, engine)
    wrong = []
    for want, got in itertools.zip_longest(native, stack, fillvalue=["(the end)", ""]):
        if want[0] in table:
            row = table.pop(want[0])
            if want[0] != got[0] or (want[1], got[1]) != row:
                wrong.append(f"{want[0]} -> {want[1]}\n  stack: {got[0]} -> {got[1]}\n  known:"
                             f" Linux {row[0]}, stack {row[1]}")
        elif want != got:
            wrong.append(f"{want[0]} -> {want[1]}\n  stack: {got[0]} -> {got[1]}")
    wrong += [f"known to differ, and not seen: {call}" for call in table]
    return "\n".join(wrong)


class Bench:
    """One wire, one server and one peer for all cases; made when the first needs them."""

    def __init__(self):
        self.wire = self.server = self.before = None
        self.engine = "socket"
        self.args = ()
        self.native = {}

    def make(self):
        self.wire = wire.Wire()
        self.server = self.wire.server("a")
        self.before = libe2e.baseline(self.server, self.wire.b)
        peer = self.wire.b.popen([sys.executable, "-c", PEER], stdout=subprocess.PIPE, text=True)
        self.args = (NOBODY, wire.LINUX_B, wire.listening(peer), BROADCAST)

    def use(self, engine):
        if self.engine != engine:
            self.server.set(sysproxy__vmcopy=int(engine == "vm"))
            self.engine = engine

    def case(self, topic, case, engine):
        if self.wire is None:
            self.make()
        self.use(engine)
        name = f"{topic}/{case}"
        if name not in self.native:
            self.native[name] = list(run(self.wire.linux("a"), topic, case, *self.args))
        stack = run(self.server.endpoint, topic, case, *self.args)
        wrong = compare(name, engine, self.native[name], stack)
        if not self.server.alive():
            wrong += "\n" + self.server.state()
            self.server = self.wire.server("a")
            self.engine = "socket"
        expect(not wrong, wrong)


bench = Bench()


def case_test(topic, case, engine):
    @test(f"{topic}/{case}, engine {engine}")
    def one():
        bench.case(topic, case, engine)


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


# Copies of the client's memory go by messages or directly; what does not copy data runs once.
for each_engine, topics in (("socket", TOPICS), ("vm", ("data", "dgram", "peer"))):
    for each_topic in topics:
        for each_case in cases(each_topic):
            case_test(each_topic, each_case, each_engine)


@test("nothing is left in the server after all of them")
def nothing_left():
    if bench.wire is None:
        raise libe2e.Skip("no case was run")
    libe2e.server_alive(bench.server)
    libe2e.settled(bench.server, bench.before, 90)


if __name__ == "__main__":
    sys.exit(libe2e.main())
