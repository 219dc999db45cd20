#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 400
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
from libcalls import BROADCAST, NOBODY, PEER
from libe2e import equal, expect, test

TOPICS = ("socket", "data", "dgram", "opt", "wait", "fd", "proc", "peer")
LIMIT_S = 30

# Why the stack differs; under it: topic/case, call (the second of its kind is "call #2"), what
# Linux gives, what the stack gives. Engine names where only one of them differs.
DIFFERENCES = (
    ("no host-local sockets in this stack", (
        ("socket/other-families", "socket(AF_UNIX, SOCK_STREAM, 0)", "ok", "EAFNOSUPPORT"),
    )),
    ("BSD: a stream cannot be bound or connected to a group, to everybody, or to port 0", (
        ("socket/bind-stream", "bind(c, (struct sockaddr *)&group, ADDRLEN)", "0", "EAFNOSUPPORT"),
        ("socket/connect-unreachable", "connect(fd, (struct sockaddr *)&zero, ADDRLEN)",
         "ECONNREFUSED", "EADDRNOTAVAIL"),
        ("socket/connect-unreachable", "connect(fd, (struct sockaddr *)&all, ADDRLEN)",
         "ENETUNREACH", "EACCES"),
        ("socket/connect-unreachable", "connect(fd, (struct sockaddr *)&mc, ADDRLEN)",
         "ENETUNREACH", "EAFNOSUPPORT"),
        ("dgram/connected", 'sendto(fd[0], "x", 1, 0, calls_loopback(0), ADDRLEN)',
         "EINVAL", "EADDRNOTAVAIL"),
    )),
    ("BSD: what is not connected cannot send or be shut down, a listener cannot connect", (
        ("socket/listening", 'send(a, "x", 1, MSG_NOSIGNAL)', "EPIPE", "ENOTCONN"),
        ("socket/listening", "connect(a, calls_loopback(calls_port(a)), ADDRLEN)",
         "EISCONN", "EOPNOTSUPP"),
        ("socket/connect-no-neighbour", 'send(fd, "x", 1, MSG_NOSIGNAL)', "EAGAIN", "ENOTCONN"),
        ("proc/shutdown-under", "a blocked accept", "EINVAL", "ECONNABORTED"),
    )),
    ("BSD: accept tells that the connection is gone", (
        ("socket/peer-gone-before-accept", "accept(listener, NULL, NULL) #2", "ok", "ECONNABORTED"),
        ("socket/peer-gone-before-accept", "read(s, buf, sizeof(buf)) #2", "ECONNRESET", "EBADF"),
    )),
    ("BSD: a socket whose connection failed is spent, one that is connected says so at once", (
        ("socket/connect-blocking", "connect(fd, calls_loopback(port), ADDRLEN) #2",
         "ECONNREFUSED", "EINVAL"),
        ("socket/connect-blocking", "connect(fd, calls_loopback(calls_port(listener)), ADDRLEN)",
         "0", "EINVAL"),
        ("socket/connect-nonblocking", "connect(fd, calls_loopback(port), ADDRLEN) #2",
         "0", "EISCONN"),
    )),
    ("BSD: a write after the connection ended is EPIPE, and the error stays for reads", (
        ("socket/connect-refused-told-once", 'send(fd, "x", 1, MSG_NOSIGNAL)',
         "ECONNREFUSED", "EPIPE"),
        ("data/write-to-closed", "read(fd[0], buf, sizeof(buf)) #2", "0", "ECONNRESET"),
        ("data/reset-by-linger", 'write(fd[0], "x", 1) #2', "ECONNRESET", "EPIPE"),
        ("data/reset-by-linger", "pipes #2", "2", "3"),
        ("data/reset-by-linger", "read(fd[0], buf, sizeof(buf)) #3", "0", "ECONNRESET"),
    )),
    ("POSIX: lengths beyond SSIZE_MAX are EINVAL", (
        ("data/vectors", "writev(fd[0], huge, 2)", "EFAULT", "EINVAL"),
    )),
    ("BSD: FIONREAD counts all that is there, Linux up to the urgent mark or the datagram's end", (
        ("data/urgent", "left", "3", "6"),
        ("dgram/truncation", "left", "6", "30"),
    )),
    ("BSD: SHUT_RD throws away what is there", (
        ("data/shutdown-read", "read(fd[1], buf, sizeof(buf))", "6", "0"),
    )),
    ("a copy-out has no answer: the server cannot know that the client could not take it", (
        ("data/bad-buffers", "what was there", "still is", "is lost", "socket"),
    )),
    ("a datagram that could not be copied out stays; Linux drops it", (
        ("dgram/vectors", "recv(fd[1], in, 3, MSG_DONTWAIT)", "EAGAIN", "3", "vm"),
    )),
    ("the client refuses MSG_TRUNC as a request, and MSG_OOB with datagrams is refused both ways", (
        ("dgram/truncation", "recv(fd[1], buf, 2, MSG_TRUNC)", "6", "EOPNOTSUPP"),
        ("dgram/shut", "recv(fd[1], buf, 1, MSG_OOB | MSG_DONTWAIT)", "EAGAIN", "EOPNOTSUPP"),
    )),
    ("BSD: a connected datagram socket sends to its peer only, and keeps its port", (
        ("dgram/connected",
         'sendto(fd[0], "elsewhere", 9, 0, calls_loopback(calls_port(third)), ADDRLEN)',
         "9", "EISCONN"),
        ("dgram/connected", "calls_port(fd[0]) == a", "0", "1"),
    )),
    ("BSD: an error to be told makes a socket readable", (
        ("dgram/refused", "polls", "ERR", "IN ERR"),
        ("dgram/refused", "polls #2", "ERR", "IN ERR"),
        ("dgram/refused", "polls #3", "ERR", "IN ERR"),
    )),
    ("BSD: no vectors are a datagram of no bytes", (
        ("dgram/vectors", "an empty datagram", "none", "came"),
    )),
    ("BSD: values out of range are refused, where Linux takes the nearest or the default", (
        ("opt/buffers", "setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)) #3",
         "0", "EINVAL"),
        ("opt/buffers", "setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)) #3",
         "0", "EINVAL"),
        ("opt/low-waters", "set SOL_SOCKET SO_RCVLOWAT 0", "0", "EINVAL"),
        ("opt/low-waters", "get SOL_SOCKET SO_RCVLOWAT #2", "1, 4 bytes", "10, 4 bytes"),
        ("opt/low-waters", "set SOL_SOCKET SO_RCVLOWAT -1", "0", "EINVAL"),
        ("opt/low-waters", "get SOL_SOCKET SO_RCVLOWAT #3", "16777216, 4 bytes", "10, 4 bytes"),
        ("opt/times", "setsockopt(fd, SOL_SOCKET, name, &tv, sizeof(tv)) #4", "0", "EDOM"),
        ("opt/times", "setsockopt(fd, SOL_SOCKET, name, &tv, sizeof(tv)) #8", "0", "EDOM"),
        ("opt/ip", "set IPPROTO_IP IP_TTL -1", "0", "EINVAL"),
        ("opt/ip", "get IPPROTO_IP IP_TTL #5", "64, 4 bytes", "255, 4 bytes"),
        ("opt/ip", "set IPPROTO_IP IP_TTL -1 #2", "0", "EINVAL"),
        ("opt/ip", "get IPPROTO_IP IP_TTL #10", "64, 4 bytes", "255, 4 bytes"),
    )),
    ("BSD: SO_SNDLOWAT can be set; defaults of its own", (
        ("opt/low-waters", "first SOL_SOCKET SO_SNDLOWAT", "1, 4 bytes", "2048, 4 bytes"),
        ("opt/low-waters", "set SOL_SOCKET SO_SNDLOWAT 10", "ENOPROTOOPT", "0"),
        ("opt/low-waters", "get SOL_SOCKET SO_SNDLOWAT", "1, 4 bytes", "10, 4 bytes"),
    )),
    ("options that nothing carries out are refused", (
        ("opt/not-offered", "setsockopt(fd, SOL_SOCKET, SO_DEBUG, &one, sizeof(one))",
         "0", "ENOPROTOOPT"),
        ("opt/not-offered", "setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one))",
         "0", "ENOPROTOOPT"),
        ("opt/not-offered", "setsockopt(u, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one))",
         "0", "ENOPROTOOPT"),
        ("opt/not-offered", "setsockopt(u, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one))",
         "0", "ENOPROTOOPT"),
        ("opt/not-offered", "setsockopt(u, IPPROTO_IP, IP_RECVERR, &one, sizeof(one))",
         "0", "ENOPROTOOPT"),
    )),
    ("an unknown option is ENOPROTOOPT, whatever its level or descriptor", (
        ("opt/unknown", "getsockopt(fd, 12345, 1, &value, &len)", "EOPNOTSUPP", "ENOPROTOOPT"),
        ("opt/unknown", "getsockopt(u, IPPROTO_TCP, TCP_NODELAY, &value, &len)",
         "EOPNOTSUPP", "ENOPROTOOPT"),
        ("opt/unknown", "setsockopt(99, SOL_SOCKET, 9999, &value, sizeof(value))",
         "EBADF", "ENOPROTOOPT"),
    )),
    ("BSD: a stream that never was connected is not ready for anything", (
        ("wait/stages", "a new one", "OUT HUP", "nothing"),
        ("wait/stages", "a bound one", "OUT HUP", "nothing"),
    )),
    ("a close ends calls of other threads on that descriptor; Linux lets them wait on", (
        ("proc/close-under", "a blocked read", "0", "EBADF"),
    )),
)

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
        yield [call if seen[call] == 1 else f"{call} #{seen[call]}", result.strip()]


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
        made = wire.Wire()
        self.server = made.server("a")
        self.before = libe2e.baseline(self.server, made.b)
        peer = made.b.popen([sys.executable, "-c", PEER], stdout=subprocess.PIPE, text=True)
        self.args = (NOBODY, wire.LINUX_B, wire.listening(peer), BROADCAST)
        self.wire = made

    def use(self, engine):
        if self.engine != engine:
            self.server.set(sysproxy__vmcopy=int(engine == "vm"),
                            kern__mbuf__mclnum=16 if engine == "vm" else 1)
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


# Bytes go by messages or directly, a cluster or sixteen at a time; calls without data run once.
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
    equal(bench.server.get("sysproxy.stats.vm_fallbacks"), {"sysproxy.stats.vm_fallbacks": 0},
          "sessions that the vm engine could not serve")
    equal(bench.server.stop(), 0, f"exit status of rumpusd{bench.server.state()}")


if __name__ == "__main__":
    sys.exit(libe2e.main())
