#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sockets handed to programs that no library is loaded into: bare system calls, io_uring."""
# timeout: 300
import platform
import sys

import libsuite
from libe2e import equal, expect, test
from libsuite import LINUX, MIB, address_of, other, site, wire

SIZE = 512
# Makes a connection, and becomes a program whose standard input it is. "bare": without a library.
HANDOFF = """
import os, socket, sys
role, bare, host, port = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
if role == "serve":
    c, _ = socket.create_server((host, port)).accept()
else:
    c = socket.create_connection((host, port), 20)
    c.settimeout(None)
os.dup2(c.fileno(), 0)
env = {k: v for k, v in os.environ.items() if bare != "bare" or k != "LD_PRELOAD"}
os.execve(sys.argv[5], sys.argv[5:], env)
"""


def handoff(role, bare, side, port, *words):
    return [sys.executable, "-c", HANDOFF, role, bare, address_of(side), str(port),
            wire.program("inherited"), *words]


def rate(s, direction, bare, how, port):
    """MiB/s of a program on the stack with a socket that it inherited; its peer is on Linux."""
    peer = s.start("linux", handoff("serve", "bare", "linux", port,
                                    "recv" if direction == "send" else "send", "call", str(SIZE)))
    s.listening("linux", port)
    done = s.must("stack", handoff("connect", bare, "linux", port, direction, how, str(SIZE)))
    equal(peer.wait(libsuite.LIMIT_S), 0, f"exit status of the peer: {s.log(peer)}")
    return float(done.out)


@test("a socket inherited: bare system calls and io_uring, 512 MiB each way, at full speed")
def inherited():
    ways = {"interposed": ("loaded", "call"), "bare": ("bare", "call"),
            "io_uring": ("bare", "uring")}
    with site() as s:
        port = 7400
        for direction in ("send", "recv"):
            best = dict.fromkeys(ways, 0.0)
            for _ in range(3):
                for name, way in ways.items():
                    port += 1
                    best[name] = max(best[name], rate(s, direction, *way, port))
            print(f"# {direction}, MiB/s: " + ", ".join(f"{n} {v:.0f}" for n, v in best.items()))
            for name, value in best.items():
                expect(value > 0.5 * best["interposed"], f"{direction} {name}: slow: {best}")


NOTICED = """
import ctypes, socket, sys
libc, room = ctypes.CDLL(None), ctypes.create_string_buffer(4096)
tcp, udp = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
size = ctypes.c_uint(4096)
SOCKET, GETSOCKNAME, SENDTO, URING = (41, 51, 44, 425) if sys.argv[1] == "x86_64" else \\
    (198, 204, 206, 425)
for _ in range(3):
    libc.syscall(SOCKET, 2, 1, 0)
    libc.syscall(GETSOCKNAME, tcp.fileno(), room, ctypes.byref(size))
    libc.syscall(SENDTO, udp.fileno(), room, 0, 0, None, 0)
    libc.syscall(URING, 1, room)
"""


@test("rumpus run -v: bare system calls and io_uring are said, each once; without -v nothing is")
def noticed():
    words = [sys.executable, "-c", NOTICED, platform.machine()]
    with site() as s:
        equal(s.must("stack", words).errors, "", "words without -v")
        said = [line for line in s.must("stack", words, options=["-v"]).errors.splitlines()
                if "python" in line and "program: " not in line]
        equal(len(said), 3, f"notices: {said}")
        for word in ("makes sockets", "on sockets of the stack", "io_uring"):
            equal(sum(word in line for line in said), 1, f"{word} in {said}")
        done = s.run("stack", [wire.program("inherited"), "send", "uring", "1"], options=["-v"])
        equal(done.errors.count("sets up io_uring"), 1, f"liburing: {done}")


if __name__ == "__main__":
    sys.exit(libsuite.main())
