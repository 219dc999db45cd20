#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Streams of small writes, which go by memory shared with the server: every byte in its place, whoever
else writes, by whatever means, and whatever becomes of the writer.
"""
import contextlib
import signal
import subprocess
import sys

import libe2e
import wire
from libe2e import equal, expect, test

MEGA, SHARED = 1 << 20, "fdsock.stats.bytes_shared"
# Reads connections to their ends, the second only later; then says how many bytes were right of each.
SINK = """
import array, socket, sys, threading, time
listener = socket.create_server((sys.argv[1], 0))
print(listener.getsockname()[1], flush=True)
conns = [listener.accept()[0] for _ in range(int(sys.argv[2]))]
time.sleep(float(sys.argv[3]))
got = [bytearray() for _ in conns]
def read(conn, into):
    while data := conn.recv(1 << 18):
        into += data
threads = [threading.Thread(target=read, args=both) for both in zip(conns, got)]
for t in threads:
    t.start()
for t in threads:
    t.join()
for one in got:
    want = array.array("Q", range(len(one) // 8 + 1)).tobytes()[:len(one)]
    wrong = next((i for i in range(len(one)) if one[i] != want[i]), -1) if one != want else -1
    print(len(one), wrong, flush=True)
"""
TEXT = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
TWO = ("signals", "number")


def transfer(server, peer, mode, size, late=0.0):
    """=> bytes that went by shared memory"""
    ours = server.fdsock_endpoint()
    before = server.get(SHARED)[SHARED]
    count = 2 if mode in TWO else 1
    sink = peer.host.popen([sys.executable, "-c", SINK, peer.address, str(count), str(late)], **TEXT)
    try:
        port = sink.stdout.readline().strip()
        done = ours.host.run([*ours.before, wire.program("small_writes"), mode,
                              peer.address, port, str(size)], timeout=60, **TEXT)
        equal(done.returncode, -signal.SIGKILL if mode == "killed" else 0,
              f"{mode}: exit status ({done.stderr.strip()[-300:]})")
        out, _ = sink.communicate(timeout=60)
    finally:
        sink.kill()
        sink.communicate()
    sent = sorted(int(word) for word in done.stdout.split())[-count:]
    got = sorted(tuple(map(int, line.split())) for line in out.splitlines())
    equal(got, [(n, -1) for n in sent], f"{mode}: bytes, and the place of the first that is wrong")
    expect(wire.wait_until(lambda: server.get("fdsock.areas")["fdsock.areas"] == 0),
           f"{mode}: an area is left")
    return server.get(SHARED)[SHARED] - before


@contextlib.contextmanager
def stack():
    """A server, and its Linux peer."""
    with wire.Wire() as w:
        yield w.server("a", "--control", f"{w.folder}/a.control"), w.linux("b")


def several(*modes, size=8 * MEGA, late=0.0, least=1):
    with stack() as (server, peer):
        for mode in modes:
            shared = transfer(server, peer, mode, size, late)
            expect(shared >= least, f"{mode}: {shared} bytes by shared memory")
        libe2e.server_alive(server)


@test("writes of 64 bytes, and of all sizes by all calls, some past the library")
def _mixed():
    several("plain", "mixed", "raw")


@test("processes that take turns, started programs, threads")
def _turns():
    several("fork", "exec", "threads")


@test("a reader that comes late; without waiting and with")
def _late():
    several("nonblock", "plain", late=0.5)


@test("a writer that is killed, one that shuts down")
def _ends():
    several("killed", "shut")


@test("signals whose handler writes too; a number that another stream gets")
def _strangers():
    several("signals", "number", size=4 * MEGA, least=0)


@test("switched off, the same goes by the pair")
def _off():
    with stack() as (server, peer):
        server.set(fdsock__maxareas=0)
        equal(transfer(server, peer, "mixed", 4 * MEGA), 0, "bytes by shared memory")


if __name__ == "__main__":
    sys.exit(libe2e.main())
