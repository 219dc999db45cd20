#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sockets of AF_INET6, for programs on the stack: IPv6 and IPv4 by one socket, options, names.

Each against a Linux peer on the wire, or with both ends on the stack's own loopback.
"""
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import tempfile

import libe2e
import wire
from libe2e import equal, expect, test

LIMIT_S = 40
STACK, PEER = "fd00::a:2", "fd00::b:9"
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
         "text": True}
PAGE = bytes(range(256)) * 4096 * 3


class Rig:
    """A wire with addresses of both families, a server, and a folder with a page to serve."""

    def __init__(self, stack, six=True):
        self.wire = stack.enter_context(wire.Wire())
        self.folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.control = f"{self.wire.folder}/control.sock"
        self.wire.b.ip("addr", "add", f"{PEER}/64", "dev", "wire", "nodad")
        tap = f",addr={STACK}/64" if six else ""
        # Nobody else has the address: it is not probed for, and there at once.
        self.server = self.wire.server("a", "--control", self.control, "-o",
                                       "net.inet6.ip6.dad_count=0", tap=tap)
        self.stack = stack
        with open(f"{self.folder}/page", "wb") as f:
            f.write(PAGE)

    def words(self, *words):
        return [wire.program("rumpus"), "-s", self.control, "run", *words]

    def on_stack(self, *words, options=(), **kw):
        done = self.wire.a.run(self.words(*options, "--", *words), timeout=LIMIT_S,
                               **{**PIPES, **kw})
        libe2e.server_alive(self.server)
        return done

    def python(self, text, *args, **kw):
        """What a python program on the stack prints."""
        done = self.on_stack(sys.executable, "-c", text, *map(str, args), **kw)
        equal(done.returncode, 0, f"exit status ({done.stderr.strip()})")
        return done.stdout.split()

    def serve(self, host, *words):
        """A web server that stays, on the stack (host a) or on Linux."""
        words = [*words, sys.executable, "-m", "http.server", "-d", self.folder, "--bind", "::",
                 "8000"]
        process = host.popen(words, start_new_session=True, **PIPES)

        def end():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        self.stack.callback(end)

    def fetched(self, host, address, *words):
        """Whether a curl gets the page, byte by byte; tried until the server is there."""
        out = f"{self.folder}/got"

        def got():
            return host.run([*words, "curl", "-gsS", "-m", "20", "-o", out,
                             f"http://{address}:8000/page"], **PIPES).returncode == 0
        expect(wire.wait_until(got, 20), f"nothing from {address}")
        libe2e.server_alive(self.server)
        with open(out, "rb") as f:
            equal(hashlib.file_digest(f, "sha256").digest(), hashlib.sha256(PAGE).digest(),
                  f"the page from {address}")


@contextlib.contextmanager
def rig(**kw):
    with contextlib.ExitStack() as stack:
        yield Rig(stack, **kw)


@test("a listener of both families: Linux fetches by IPv6 and IPv4, a program by ::1 and 127.0.0.1")
def serves():
    with rig() as r:
        r.serve(r.wire.a, *r.words("--all", "--"))
        for address in f"[{STACK}]", wire.STACK_A:
            r.fetched(r.wire.b, address)
        for address in "[::1]", "127.0.0.1", f"[{STACK}]":
            r.fetched(r.wire.a, address, *r.words("--all", "--"))


@test("a program fetches from Linux by IPv6, and by a mapped address")
def fetches():
    with rig() as r:
        r.serve(r.wire.b)
        for address in f"[{PEER}]", f"[::ffff:{wire.LINUX_B}]":
            r.fetched(r.wire.a, address, *r.words("--"))


@test("ping, unmodified: echoes come back, large ones in fragments; nobody there is said so")
def ping():
    with rig() as r:
        for size in 56, 8000:
            done = r.on_stack("ping", "-6", "-c", "3", "-i", "0.1", "-s", str(size), PEER)
            expect(done.returncode == 0 and " 3 received, 0% packet loss" in done.stdout,
                   f"{size} bytes: {done.stdout}{done.stderr}")
        done = r.on_stack("ping", "-6", "-c", "1", "-W", "9", "fd00::dead")
        expect(done.returncode == 1 and "unreachable" in done.stdout,
               f"nobody: {done.stdout}{done.stderr}")


# Says what comes beside each of two datagrams, and answers with a hop limit and a class of its own.
ANSWER = """
import socket, struct, sys
six = socket.IPPROTO_IPV6
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 9000))
for option in socket.IPV6_RECVPKTINFO, socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS:
    s.setsockopt(six, option, 1)
print("ready", flush=True)
for _ in range(2):
    data, control, _, peer = s.recvmsg(100, 500)
    told = {kind: value for level, kind, value in control if level == six}
    print(data.decode(), peer[0], socket.inet_ntop(socket.AF_INET6, told[socket.IPV6_PKTINFO][:16]),
          *(struct.unpack("i", told[kind])[0] for kind in (socket.IPV6_HOPLIMIT, socket.IPV6_TCLASS)
            if kind in told), flush=True)
    s.sendmsg([b"back"], [(six, socket.IPV6_HOPLIMIT, struct.pack("i", 9)),
                          (six, socket.IPV6_TCLASS, struct.pack("i", 0x28))], 0, peer)
"""
ASK = """
import socket, struct, sys
six = socket.IPPROTO_IPV6
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(10)
for option, value in ((socket.IPV6_RECVHOPLIMIT, 1), (socket.IPV6_RECVTCLASS, 1),
                      (socket.IPV6_UNICAST_HOPS, 33), (socket.IPV6_TCLASS, 0xb8)):
    s.setsockopt(six, option, value)
for host in sys.argv[1:]:
    s.sendto(b"asked", (host, 9000))
    data, control, _, peer = s.recvmsg(100, 500)
    print(data.decode(), peer[0], *(struct.unpack("i", value)[0] for _, _, value in sorted(control)))
"""


def asked_and_answered(r, who, whom, ask_words=(), answer_words=()):
    """A datagram of each family to a socket of both; who, whom: host, its two addresses."""
    (asker, six, four), (answerer, their_six, their_four) = who, whom
    answer = answerer.popen([*answer_words, sys.executable, "-c", ANSWER], **PIPES)
    try:
        equal(answer.stdout.readline(), "ready\n", "who answers")
        done = asker.run([*ask_words, sys.executable, "-c", ASK, their_six, f"::ffff:{their_four}"],
                         timeout=LIMIT_S, **PIPES)
        equal(done.returncode, 0, f"exit status ({done.stderr})")
        equal(done.stdout.splitlines(), [f"back {their_six} 9 40", f"back ::ffff:{their_four}"],
              "what came back")
        equal(answer.communicate(timeout=LIMIT_S)[0].splitlines(),
              [f"asked {six} {their_six} 33 184", f"asked ::ffff:{four} ::ffff:{their_four}"],
              "what was asked")
    finally:
        answer.kill()
        answer.communicate()
    libe2e.server_alive(r.server)


@test("datagrams between the stack and Linux: addresses, hop limit and class, each way")
def datagrams():
    with rig() as r:
        stack = (r.wire.a, STACK, wire.STACK_A)
        linux = (r.wire.b, PEER, wire.LINUX_B)
        asked_and_answered(r, stack, linux, ask_words=r.words("--"))
        asked_and_answered(r, linux, stack, answer_words=r.words("--"))


ERRORS = """
import errno, socket
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    for host in "2001:db8::1", "::1":
        with socket.socket(socket.AF_INET6, kind) as s:
            print(errno.errorcode.get(s.connect_ex((host, 9)), 0))
"""


@test("without an address of IPv6 there is no way to anybody; loopback and IPv4 there are")
def unconfigured():
    with rig(six=False) as r:
        done = r.on_stack(sys.executable, "-c", ERRORS, options=("--all",))
        equal(done.stdout.split(), ["ENETUNREACH", "ECONNREFUSED", "ENETUNREACH", "0"], "errors")
        r.serve(r.wire.b)
        r.fetched(r.wire.a, f"[::ffff:{wire.LINUX_B}]", *r.words("--"))


# The addresses of IPv6 that getifaddrs tells.
SHOWN = """
import ctypes, socket
class sockaddr(ctypes.Structure):
    _fields_ = [("family", ctypes.c_uint16), ("data", ctypes.c_ubyte * 26)]
class ifaddrs(ctypes.Structure):
    pass
ifaddrs._fields_ = [("next", ctypes.POINTER(ifaddrs)), ("name", ctypes.c_char_p),
                    ("flags", ctypes.c_uint), ("addr", ctypes.POINTER(sockaddr))]
entry = ctypes.POINTER(ifaddrs)()
ctypes.CDLL(None).getifaddrs(ctypes.byref(entry))
while entry:
    addr = entry.contents.addr
    if addr and addr.contents.family == socket.AF_INET6:
        print(socket.inet_ntop(socket.AF_INET6, bytes(addr.contents.data[6:22])))
    entry = entry.contents.next
"""


@test("getifaddrs shows the stack's addresses of IPv6")
def interfaces():
    with rig() as r:
        shown = r.python(SHOWN)
        expect(STACK in shown and "::1" in shown and any(a.startswith("fe80:") for a in shown),
               f"addresses: {shown}")


if __name__ == "__main__":
    sys.exit(libe2e.main())
