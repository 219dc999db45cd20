#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Many connections: 10,000 at once through nginx, 50,000 in a row; and a server that dies."""
# timeout: 900
import os
import resource
import signal
import sys
import time

import libsuite
import rows
import wire
from libe2e import Skip, equal, expect, test
from libsuite import LINUX, STACK, end, need, rss_kib, site
from programs import nginx

FILES = 20000
ASK = """
import resource, select, socket, sys, time
host, port, wanted, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
ask = b"GET /1k HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"
poll, socks, failed = select.epoll(), {}, 0
def wait(events, todo, act):
    end = time.monotonic() + 60
    while todo and time.monotonic() < end:
        for fd, got in poll.poll(1):
            if fd in todo and act(fd, got):
                todo.discard(fd)
                poll.modify(fd, 0)
    return len(todo)
def connected(fd, got):
    error = socks[fd].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    assert error == 0, error
    return True
for first in range(0, wanted, 250):
    batch = set()
    for _ in range(min(250, wanted - first)):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((host, port))
        socks[s.fileno()] = s
        poll.register(s, select.EPOLLOUT)
        batch.add(s.fileno())
    late = wait(select.EPOLLOUT, batch, connected)
    assert late == 0, f"{late} of a batch at {first} not connected"
for turn in range(rounds):
    sizes = dict.fromkeys(socks, 0)
    def answered(fd, got):
        data = socks[fd].recv(65536)
        assert data, "end of a connection"
        sizes[fd] += len(data)
        assert sizes[fd] == len(data) or data
        return sizes[fd] > 1024 and sizes[fd] == full.setdefault(0, sizes[fd])
    full = {}
    for fd, s in socks.items():
        s.send(ask)
        poll.modify(fd, select.EPOLLIN)
    late = wait(select.EPOLLIN, set(socks), answered)
    assert late == 0, f"{late} without an answer in turn {turn}"
print("open", len(socks), "answers", len(socks) * rounds)
sys.stdout.flush()
sys.stdin.read()
"""


def raise_limit():
    try:
        hard = max(FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    except (ValueError, OSError):
        raise Skip(f"no more than {resource.getrlimit(resource.RLIMIT_NOFILE)[1]} descriptors "
                   "are allowed") from None


@test("nginx: 10,000 connections at once from Linux, each asked twice; all released in the end")
def many_at_once():
    need("nginx")
    raise_limit()
    with site(limit_s=90) as s:
        process = nginx(s, "stack", connections=12000)
        before = rss_kib(s.server.process.pid)
        load = s.start("linux", [sys.executable, "-c", ASK, STACK, "8080", "10000", "2"],
                       stdin=libsuite.PIPE)
        wire.wait_until(lambda: "open" in s.log(load) or load.poll() is not None, 240)
        equal(s.log(load).strip(), "open 10000 answers 20000", "the load generator's words")
        held = s.server.get("fdsock.sockets")["fdsock.sockets"]
        expect(held >= 10000 or "--threads" in s.options,  # each stack counts its own
               f"{held} sockets while 10,000 connections are open")
        grown = rss_kib(s.server.process.pid) - before
        print(f"# 10,000 connections: {held} sockets, server {grown / 10000:.1f} KiB each, "
              f"{before} KiB before")
        expect(process.poll() is None, s.log(process))
        end(load)
        expect(wire.wait_until(
            lambda: s.server.get("fdsock.sockets")["fdsock.sockets"] < 100, 60),
            "sockets of connections that are gone stay")


@test("50,000 connections in a row, half of them each way: memory and descriptors do not grow")
def many_in_a_row():
    with site("-o", "net.inet.tcp.maxtcptw=2000", limit_s=90) as s:
        for side in ("linux", "stack"):
            seen = rows.in_a_row(s, side, 25000)
            print(f"# connections from {side}: server KiB, descriptors, sockets: "
                  f"{seen[0]} after the first tenth, {seen[-1]} after the last")
            rows.expect_no_growth(seen)


def under_load(s):
    """A server on the stack with a client on Linux, and the other way round, both busy."""
    return [s.start("stack", [sys.executable, "-c", STUBBORN, "serve", STACK, "7200"]),
            s.start("stack", [sys.executable, "-c", STUBBORN, "blast", LINUX, "7201"]),
            s.start("stack", [sys.executable, "-c", STUBBORN, "drain", LINUX, "7202"]),
            s.start("stack", [sys.executable, "-c", STUBBORN, "datagrams", STACK, "7203"])]


# Ends by the first error of its socket, whose name it prints.
STUBBORN = """
import errno, select, socket, sys
what, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
try:
    if what == "serve":
        s = socket.create_server((host, port))
        print("ready", flush=True)
        while True:
            s.accept()
    elif what == "datagrams":
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((host, port))
        print("ready", flush=True)
        while True:
            s.recvfrom(100)
    else:
        s = socket.create_connection((host, port))
        print("ready", flush=True)
        while what == "blast":
            s.sendall(bytes(65536))
        while s.recv(65536):
            pass
        print("end", flush=True)
except OSError as e:
    print(errno.errorcode[e.errno], flush=True)
try:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    print("a socket")
except OSError as e:
    print(errno.errorcode[e.errno])
"""
PEER = """
import socket, sys, threading
def blast(c):
    try:
        while True:
            c.sendall(bytes(65536))
    except OSError:
        pass
def drain(c):
    try:
        while c.recv(65536):
            pass
    except OSError:
        pass
def serve(port, act):
    s = socket.create_server((sys.argv[1], port))
    while True:
        threading.Thread(target=act, args=(s.accept()[0],), daemon=True).start()
threading.Thread(target=serve, args=(7201, drain), daemon=True).start()
serve(7202, blast)
"""


def dies(how):
    with libsuite.network() as w:
        s = libsuite.Site(w)
        try:
            peer = s.start("linux", [sys.executable, "-c", PEER, LINUX])
            s.reachable(LINUX, 7202, peer)
            programs = under_load(s)
            for p in programs:
                expect(wire.wait_until(lambda p=p: "ready" in s.log(p), 10), s.log(p))
            time.sleep(0.5)
            os.kill(s.server.process.pid, how)
            s.server.process.wait(10)
            for p in programs:
                expect(wire.wait_until(lambda p=p: p.poll() is not None, 10),
                       f"hangs: {s.log(p)}")
                words = s.log(p).split()
                expect(len(words) == 3 or words[1:] == ["end"], f"{words}")
                print(f"# {p.args[-3]}: {' '.join(words[1:])}")
                expect(words[1].startswith("E") and words[1] != "EBADF", f"no error: {words}")
            s.restart()
            http = s.start("stack", [sys.executable, "-m", "http.server", "-b", STACK, "8000"],
                           cwd="/run/netns")
            s.reachable(STACK, 8000, http)
            s.must("linux", ["curl", "-sS", "-m", "10", "-o", "/dev/null", f"http://{STACK}:8000/"])
        finally:
            s.stop_all()
            w.servers = [server for server in w.servers if server.alive()]


@test("the server is killed under load: every program gets an error, none hangs; then a new one")
def killed():
    dies(signal.SIGKILL)


@test("the server ends under load: every program gets an error, none hangs; then a new one")
def terminated():
    dies(signal.SIGTERM)


# A program that outlives a server: its next sockets are the new server's.
OUTLIVES = """
import socket, sys, time
port = int(sys.argv[2])
s = socket.create_server((sys.argv[1], port))
print("one", flush=True)
try:
    s.accept()
except OSError:
    pass
s.close()
for _ in range(100):
    try:
        s = socket.create_server((sys.argv[1], port))
        break
    except OSError:
        time.sleep(0.1)
print("two", flush=True)
c, _ = s.accept()
c.sendall(b"again")
"""


@test("a program that outlives the server makes its new sockets on the next one")
def outlives():
    with libsuite.network() as w:
        s = libsuite.Site(w)
        try:
            p = s.start("stack", [sys.executable, "-c", OUTLIVES, STACK, "7300"])
            expect(wire.wait_until(lambda: "one" in s.log(p), 10), s.log(p))
            s.server.process.kill()
            s.server.process.wait(10)
            s.restart()
            expect(wire.wait_until(lambda: "two" in s.log(p), 15), s.log(p))
            equal(s.must("linux", ["nc", "-d", "-w", "5", STACK, "7300"]).out, "again", "bytes")
            equal(p.wait(10), 0, "exit status")
        finally:
            s.stop_all()
            w.servers = [server for server in w.servers if server.alive()]


if __name__ == "__main__":
    sys.exit(libsuite.main())
