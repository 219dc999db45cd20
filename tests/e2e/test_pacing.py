#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""SO_MAX_PACING_RATE of programs that know nothing of the stack: what they send to a Linux host takes
as long as their rate says, at least, and arrives whole.
"""
import contextlib
import subprocess
import sys

import libe2e
import wire
from libe2e import equal, expect, test

SIZE, RATE = 3 << 20, 2 << 20  # bytes; bytes a second
# The program's first piece takes no time before it: a millisecond's worth, or two segments.
AT_ONCE = max(RATE // 1000, 2 * 1460)

# Reads all, and says so.
SINK = """
import hashlib, socket, sys
listener = socket.create_server((sys.argv[1], 0))
print(listener.getsockname()[1], flush=True)
conn, _ = listener.accept()
digest, n = hashlib.sha256(), 0
while data := conn.recv(1 << 16):
    digest.update(data)
    n += len(data)
conn.sendall(b"read")
print(n, digest.hexdigest(), flush=True)
"""
# Prints the time that the transfer took, and what the option and TCP_INFO tell.
SOURCE = """
import hashlib, random, socket, struct, sys, time
PACING = 47
host, port, size, rate, when = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
data = random.Random(7).randbytes(size)
s = socket.socket()
if when == "before":
    s.setsockopt(socket.SOL_SOCKET, PACING, struct.pack("Q", rate))
s.connect((host, port))
if when == "after":
    s.setsockopt(socket.SOL_SOCKET, PACING, rate)
start = time.monotonic()
s.sendall(data)
told = struct.unpack("Q", s.getsockopt(socket.SOL_SOCKET, PACING, 8))[0]
narrow = struct.unpack("I", s.getsockopt(socket.SOL_SOCKET, PACING, 4))[0]
now, most = struct.unpack("QQ", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)[104:120])
s.shutdown(socket.SHUT_WR)
assert s.recv(10, socket.MSG_WAITALL) == b"read"
took = time.monotonic() - start
print(took, told, narrow, now, most, hashlib.sha256(data).hexdigest())
"""
DGRAM = """
import errno, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    s.setsockopt(socket.SOL_SOCKET, 47, 100000)
except OSError as e:
    print(errno.errorcode[e.errno])
"""
TEXT = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def python(ours, program, *args):
    done = ours.host.run([*ours.before, sys.executable, "-c", program, *map(str, args)],
                         timeout=60, **TEXT)
    equal(done.returncode, 0, f"exit status ({done.stderr.strip()[-300:]})")
    return done.stdout.split()


@contextlib.contextmanager
def sink(peer):
    child = peer.host.popen([*peer.before, sys.executable, "-c", SINK, peer.address],
                            stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def transfer(w, server, rate, when):
    """What the program printed but the digest, which is compared."""
    with sink(w.linux("b")) as child:
        port = child.stdout.readline().strip()
        *told, digest = python(server.fdsock_endpoint(), SOURCE, wire.LINUX_B, port, SIZE, rate,
                               when)
        equal(child.stdout.readline().split(), [str(SIZE), digest], "what arrived")
    libe2e.server_alive(server)
    return float(told[0]), [int(n) for n in told[1:]]


@contextlib.contextmanager
def bench(*options):
    with wire.Wire() as w:
        yield w, w.server("a", "--control", f"{w.folder}/a.control", *options)


@test("a stream takes the time of its rate, set before it is connected or after")
def at_rate():
    with bench() as (w, server):
        for when in ("before", "after"):
            took, (told, narrow, now, most) = transfer(w, server, RATE, when)
            expect(took >= (SIZE - AT_ONCE) / RATE, f"{SIZE} bytes took {took} s, set {when}")
            equal((told, narrow, most), (RATE, RATE, RATE), "what the option and TCP_INFO tell")
            expect(0 < now <= RATE, f"the present rate is {now}")
        held = server.get("net.inet.tcp.stats.sndpaced")
        expect(held["net.inet.tcp.stats.sndpaced"] > 0, f"nothing was held back: {held}")


@test("net.inet.tcp.pacing paces who has no rate, by that of the congestion control")
def by_setting():
    with bench("-o", "net.inet.tcp.pacing=1") as (w, server):
        _, (told, narrow, now, most) = transfer(w, server, 0, "never")
        none = 2**64 - 1
        equal((told, narrow, most), (none, 2**32 - 1, none), "what the option and TCP_INFO tell")
        expect(0 < now < none, f"the present rate is {now}")


@test("without either nothing is held back; datagrams refuse a rate")
def unpaced():
    with bench() as (w, server):
        _, (told, _, now, most) = transfer(w, server, 0, "never")
        equal((told, now, most), (2**64 - 1,) * 3, "what the option and TCP_INFO tell")
        equal(server.get("net.inet.tcp.stats.sndpaced"), {"net.inet.tcp.stats.sndpaced": 0}, "held")
        equal(python(server.fdsock_endpoint(), DGRAM), ["ENOPROTOOPT"], "of a datagram socket")


if __name__ == "__main__":
    sys.exit(libe2e.main())
