#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Linux programs that know nothing of us, at the other end of the wire: ping, curl, nc, sockets."""
import contextlib
import errno
import hashlib
import os
import re
import subprocess
import sys

import libe2e
import wire
from libe2e import equal, expect, test

PIPE, NONE = subprocess.PIPE, subprocess.DEVNULL
SIZES = (0, 1, 1460, 65537, 10_000_000)


@contextlib.contextmanager
def listener(server, name):
    """A server program on the stack. Yields its port."""
    process = server.endpoint.popen(name[:-5], server.address, stdin=NONE, stdout=PIPE, stderr=PIPE)
    try:
        yield wire.listening(process)
        expect(process.poll() is None, f"{name} ended: {process.returncode}")
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def stack():
    """A wire with a server on it, which is alive and as empty as before in the end."""
    with wire.Wire() as w:
        server = w.server("a")
        before = libe2e.baseline(server, w.b)
        yield w, server
        libe2e.server_alive(server)
        libe2e.settled(server, before)


def pattern(n):
    block = bytes(range(251))
    return (block * (n // 251 + 1))[:n]


def noise(n, seed=b"rumpus"):
    return hashlib.shake_256(seed).digest(n)


def python(host, code, *args, limit_s=60):
    """A script on the host's own sockets. Returns what it printed."""
    done = host.run([sys.executable, "-c", code, *map(str, args)], stdin=NONE, stdout=PIPE,
                    stderr=PIPE, timeout=limit_s)
    equal(done.returncode, 0, done.stderr.decode())
    return done.stdout.decode().strip()


@test("ping: every echo comes back, small, large and in fragments")
def ping():
    with stack() as (w, server):
        for size in (0, 56, 1472, 1473, 8000):
            done = w.b.run(["ping", "-q", "-c", "20", "-i", "0.01", "-W", "2", "-s", str(size),
                            server.address], stdout=PIPE, stderr=PIPE, text=True)
            expect(re.search(r"\b20 received, 0% packet loss", done.stdout),
                   f"{size} bytes: {done.stdout}{done.stderr}")


@test("curl: bodies of any size, byte for byte, and a 404")
def curl():
    with stack() as (w, server), listener(server, "httpd-rump") as port:
        for size in SIZES:
            done = w.b.run(["curl", "-sS", "-m", "30", f"http://{server.address}:{port}/{size}"],
                           stdout=PIPE, stderr=PIPE)
            equal((done.returncode, done.stderr), (0, b""), f"curl of {size} bytes")
            expect(done.stdout == pattern(size), f"curl of {size} bytes: other bytes")
        done = w.b.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}",
                        f"http://{server.address}:{port}/nothing"], stdout=PIPE, stderr=PIPE)
        equal(done.stdout, b"404", "a page that is not there")


@test("curl: a client that goes away in mid-transfer does not stop the next")
def curl_gone():
    with stack() as (w, server), listener(server, "httpd-rump") as port:
        url = f"http://{server.address}:{port}/"
        for _ in range(3):
            done = w.b.run(["curl", "-s", "--limit-rate", "1m", "-m", "0.3", "-o", "/dev/null",
                            url + "900000000"])
            equal(done.returncode, 28, "curl's own timeout")
            done = w.b.run(["curl", "-sS", "-m", "30", url + "5000"], stdout=PIPE)
            expect(done.stdout == pattern(5000), "the next one got other bytes")


@test("nc to an echo program on the stack: 300 kB come back")
def nc_to_stack():
    with stack() as (w, server), listener(server, "echo-rump") as port:
        for text in (b"hello\n", noise(300_000)):
            done = w.b.run(["nc", "-N", "-w", "10", server.address, port], input=text, stdout=PIPE,
                           stderr=PIPE)
            equal(done.returncode, 0, f"exit status of nc: {done.stderr}")
            expect(done.stdout == text, f"{len(done.stdout)} of {len(text)} bytes, or others")


def talk(server, address, port, text):
    process = subprocess.Popen([wire.program("talk-rump"), address, str(port)], env=server.env(),
                               stdin=PIPE, stdout=PIPE, stderr=PIPE)
    out, errors = process.communicate(text, timeout=60)
    return process.returncode, out, errors.decode().strip()


@test("a program on the stack to nc: both directions")
def stack_to_nc():
    with stack() as (w, server):
        there, back = noise(200_000, b"there"), noise(100_000, b"back")
        with open(f"{w.folder}/back", "wb") as f:
            f.write(back)
        with open(f"{w.folder}/back", "rb") as f, open(f"{w.folder}/got", "wb") as out:
            nc = w.b.popen(["nc", "-vnlN", wire.LINUX_B, "7000"], stdin=f, stdout=out, stderr=PIPE)
        expect(b"istening" in nc.stderr.readline(), "nc does not listen")
        equal(talk(server, wire.LINUX_B, 7000, there), (0, back, ""), "talk")
        nc.communicate(timeout=30)
        with open(f"{w.folder}/got", "rb") as f:
            out = f.read()
        expect(out == there, f"nc got {len(out)} of {len(there)} bytes, or others")


@test("a closed port refuses, either way, at once")
def refused():
    with stack() as (w, server):
        status, _, errors = talk(server, wire.LINUX_B, 9, b"")
        equal((status, errors.split(": ")[-1]), (1, os.strerror(errno.ECONNREFUSED)), "from us")
        code = "import socket, sys; print(socket.socket().connect_ex((sys.argv[1], 9)))"
        equal(int(python(w.b, code, server.address)), errno.ECONNREFUSED, "to us")


ECHO_MANY = """
import socket, sys, threading
address, port, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
bad = []
def one(i):
    s = socket.create_connection((address, port), 30)
    text = bytes([i % 256]) * (1000 + 997 * i)
    threading.Thread(target=lambda: (s.sendall(text), s.shutdown(socket.SHUT_WR))).start()
    got = b""
    while True:
        more = s.recv(65536)
        if not more:
            break
        got += more
    if got != text:
        bad.append((i, len(got), len(text)))
threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
for t in threads: t.start()
for t in threads: t.join()
print(bad)
"""


@test("thirty connections at once through poll() on the stack")
def many():
    with stack() as (w, server), listener(server, "echo-rump") as port:
        equal(python(w.b, ECHO_MANY, server.address, port, 30), "[]", "wrong echoes")


RESET = """
import socket, struct, sys
for _ in range(20):
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)
    s.sendall(b"x" * 50000)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)
s.sendall(b"still there")
print(s.recv(100).decode())
"""


@test("connections that end in a reset harm no other")
def resets():
    with stack() as (w, server), listener(server, "echo-rump") as port:
        equal(python(w.b, RESET, server.address, port), "still there", "the one after")


if __name__ == "__main__":
    sys.exit(libe2e.main())
