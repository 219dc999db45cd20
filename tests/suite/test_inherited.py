#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sockets handed to programs that no library is loaded into: bare system calls, io_uring."""
# timeout: 300
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


if __name__ == "__main__":
    sys.exit(libsuite.main())
