#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Connections in a row, each way between the stack and Linux: does the server grow?

  tests/suite/rows.py [N [RATE]]        `make million`: N is 1,000,000, RATE 2,000 a second at most

Each connection sends two bytes and gets them back; the first byte says who closes first, so both ends
pass through TIME-WAIT. Half of the N are made by Linux, half by the stack, each half in ten parts;
after each part the server's memory, descriptors and sockets are looked at. Prints what was seen; the
exit status is 0 if nothing grew.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import libsuite
import libe2e
from libe2e import equal, expect
from libsuite import LINUX, STACK, descriptors, end, other, rss_kib, site

PORTS, FIRST_PORT, PARTS, THREADS = 16, 7100, 10, 4
GROWTH_KIB = 2048
PART_LIMIT_S = 1200

# Says nothing; one process, one thread.
SERVE = """
import select, socket, sys
host, first, ports = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
poll, socks, listeners = select.epoll(), {}, set()
for port in range(first, first + ports):
    s = socket.create_server((host, port), backlog=512)
    s.setblocking(False)
    socks[s.fileno()] = s
    listeners.add(s.fileno())
    poll.register(s, select.EPOLLIN)
def drop(fd):
    poll.unregister(fd)
    socks.pop(fd).close()
while True:
    for fd, _ in poll.poll():
        try:
            if fd in listeners:
                c, _ = socks[fd].accept()
                c.setblocking(False)
                socks[c.fileno()] = c
                poll.register(c, select.EPOLLIN)
                continue
            data = socks[fd].recv(16)
            if data:
                socks[fd].send(data)
            if not data or data[:1] == b"s":
                drop(fd)
        except BlockingIOError:
            pass
        except OSError:
            if fd not in listeners:
                drop(fd)
"""
ASK = """
import socket, sys, threading, time
host, first, ports, each, rate = sys.argv[1], *map(int, sys.argv[2:6])
right, wrong = [0], []
def one(i):
    text = (b"c", b"s")[i % 2] + bytes([33 + i % 90])
    with socket.create_connection((host, first + i % ports), 30) as s:
        s.send(text)
        got = s.recv(16)
        if i % 2:
            got += s.recv(16)
    return got == text
def run(k):
    begun, n = time.monotonic(), 0
    for i in range(k, each, 4):
        late = begun + i / rate - time.monotonic()
        if late > 0:
            time.sleep(late)
        try:
            n += one(i)
        except OSError as e:
            wrong.append(repr(e))
    right.append(n)
threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sum(right), *wrong[:3])
"""


def roomy(s, side):
    """Linux as a client needs more ports than it has at first."""
    host = s.w.b if side == "linux" else s.w.a
    host.run(["sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=10000 65000"],
             stdout=libsuite.NONE, stderr=libsuite.NONE)


def in_a_row(s, side, total, rate=10000, say=lambda text: None):
    """Connections made on that side. => after each tenth: memory, descriptors, sockets held"""
    where = STACK if side == "linux" else LINUX
    roomy(s, side)
    serve = s.start(other(side), [sys.executable, "-c", SERVE, where, str(FIRST_PORT), str(PORTS)])
    for port in (FIRST_PORT, FIRST_PORT + PORTS - 1):
        s.reachable(where, port, serve)
    pid, seen, part = s.server.process.pid, [], total // PARTS
    for i in range(PARTS):
        done = s.must(side, [sys.executable, "-c", ASK, where, str(FIRST_PORT), str(PORTS),
                             str(part), str(rate)], PART_LIMIT_S)
        equal(done.out.strip(), str(part), "connections that were right")
        libe2e.server_alive(s.server)
        seen.append((rss_kib(pid), descriptors(pid),
                     s.server.get("fdsock.sockets")["fdsock.sockets"]))
        say(f"{(i + 1) * part} made by {side}: server {seen[-1][0]} KiB, "
            f"{seen[-1][1]} descriptors, {seen[-1][2]} sockets of programs")
    end(serve)
    return seen


def expect_no_growth(seen):
    """From the third part on; before, pools and TIME-WAIT fill to their limits."""
    expect(seen[-1][0] - max(row[0] for row in seen[1:3]) < GROWTH_KIB, f"memory grows: {seen}")
    expect(seen[-1][1] - max(row[1] for row in seen[1:3]) <= 2, f"descriptors grow: {seen}")


def main():
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    rate = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    try:
        libsuite.wire.enter()
    except libsuite.wire.Unavailable as e:
        print(f"skipped: {e}")
        return 0
    try:
        with site(limit_s=120) as s:
            for side in ("linux", "stack"):
                expect_no_growth(in_a_row(s, side, total // 2, rate,
                                          lambda text: print(text, flush=True)))
    except (AssertionError, libsuite.wire.Failed) as e:
        print(f"failed: {e}")
        return 1
    print(f"{total} connections; nothing grew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
