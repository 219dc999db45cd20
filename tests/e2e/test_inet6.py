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
        self.server = self.wire.server("a", "--control", self.control, tap=tap)
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


if __name__ == "__main__":
    sys.exit(libe2e.main())
