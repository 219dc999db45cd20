# SPDX-License-Identifier: BSD-2-Clause
"""What the program suite shares: a site with a server, and unmodified programs on either side.

A program "on the stack" runs under `rumpus run` in host a, one "on Linux" in host b, which has the
kernel's sockets and the other end of the wire. Every program is bounded by a time limit and, like
everything it started, gone when its site is left.
"""
import contextlib
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import libe2e
import wire
from libe2e import Skip, equal, expect, test

PIPE, NONE, BOTH = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT
STACK, LINUX = wire.STACK_A, wire.LINUX_B
LIMIT_S = 60
MIB = 1 << 20


def need(*programs):
    """Skips the test where a program is missing. Returns the paths."""
    places = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    found = [shutil.which(p, path=places) for p in programs]
    for name, path in zip(programs, found):
        if path is None:
            raise Skip(f"{name} is not installed")
    return found


def noise(n, seed=b"rumpus"):
    return hashlib.shake_256(seed).digest(n)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") \
            else hashlib.sha256(f.read()).hexdigest()


def write(path, data):
    with open(path, "wb" if isinstance(data, bytes) else "w") as f:
        f.write(data)
    return path


def server_options():
    """Those of every server, of whoever runs the suite."""
    return shlex.split(os.environ.get("RUMPUSD_OPTIONS", ""))


def network():
    """The wire of a test; servers of several threads want a queue of the tap each."""
    return wire.Wire(kind=["multi_queue"] if "--threads" in server_options() else [])


class Done:
    """A program that has ended."""

    def __init__(self, status, out, errors):
        self.status, self.raw, self.errors = status, out, errors.decode(errors="replace")
        self.out = out.decode(errors="replace")

    def __str__(self):
        return f"status {self.status}: {self.out[-1500:]} {self.errors[-1500:]}"


class Site:
    """A wire, a server on host a, and the programs of one test."""

    def __init__(self, w, options=()):
        self.w, self.programs = w, []
        self.options = [*options, *server_options()]
        self.folder, self.control = w.folder, f"{w.folder}/control.sock"
        self.server = w.server("a", "--control", self.control, *self.options)

    def restart(self):
        """A new server in the place of one that has ended."""
        self.server = self.w.server("a", "--control", self.control, *self.options)

    def path(self, name):
        return f"{self.folder}/{name}"

    def file(self, name, data):
        return write(self.path(name), data)

    def command(self, side, argv, options=()):
        """What runs argv on "stack" or "linux"."""
        if side == "stack":
            run = [wire.program("rumpus"), "-s", self.control, "run", *options, "--"]
            return self.w.a.command(run + list(argv))
        return self.w.b.command(list(argv))

    def start(self, side, argv, options=(), **kw):
        """Begins a program; its words go to a file, log(process)."""
        name = self.path(f"program{len(self.programs)}.log")
        out = open(name, "wb")
        kw = {"stdin": NONE, "stdout": out, "stderr": out, "start_new_session": True, **kw}
        process = subprocess.Popen(self.command(side, argv, options), **kw)
        out.close()
        process.log_name = name
        self.programs.append(process)
        return process

    @staticmethod
    def log(process):
        with open(process.log_name, encoding="utf-8", errors="replace") as f:
            return f.read()[-3000:]

    def run(self, side, argv, limit_s=LIMIT_S, options=(), **kw):
        """Runs a program to its end. => Done"""
        if "input" not in kw:
            kw.setdefault("stdin", NONE)
        process = subprocess.Popen(self.command(side, argv, options), stdout=PIPE, stderr=PIPE,
                                   start_new_session=True,
                                   stdin=PIPE if "input" in kw else kw.pop("stdin"),
                                   **{k: v for k, v in kw.items() if k != "input"})
        try:
            out, errors = process.communicate(kw.get("input"), timeout=limit_s)
        except subprocess.TimeoutExpired:
            end(process)
            out, errors = process.communicate()
            raise AssertionError(f"{argv[0]} on {side} did not end within {limit_s} s: "
                                 f"{Done(None, out, errors)}") from None
        finally:
            end(process)
        return Done(process.returncode, out, errors)

    def must(self, side, argv, limit_s=LIMIT_S, **kw):
        """As run(), and its exit status is 0."""
        done = self.run(side, argv, limit_s, **kw)
        expect(done.status == 0, f"{' '.join(argv)[:200]} on {side}: {done}")
        return done

    def reachable(self, address, port, process=None, limit_s=20):
        """Waits until something listens there, seen from the other side."""
        other = self.w.b if address == STACK else self.w.a

        def there():
            if process is not None and process.poll() is not None:
                return True
            return other.run(["nc", "-z", "-w", "1", address, str(port)], stdin=NONE, stdout=NONE,
                             stderr=NONE).returncode == 0
        expect(wire.wait_until(there, limit_s, 0.1), f"nothing listens on {address}:{port}: "
               f"{self.log(process) if process else ''}{self.server.state()}")
        expect(process is None or process.poll() is None,
               f"it ended: {self.log(process) if process else ''}")

    def listening(self, side, port, udp=False):
        """For a server that takes one connection only: looks, and does not touch."""
        if side == "linux":
            def there():
                done = self.w.b.run(["ss", "-Hnl", "-u" if udp else "-t", f"sport = {port}"],
                                    stdout=PIPE)
                return bool(done.stdout.strip())
            expect(wire.wait_until(there, 10), f"nothing listens on {port}")
            return
        asked, held = "fdsock.stats.requests", "fdsock.sockets"
        expect(wire.wait_until(lambda: self.server.get(held)[held] > 0, 10),
               "nothing asks for sockets")
        last = self.server.get(asked)
        while (now := self.server.get(asked)) != last:
            last = now
            time.sleep(0.2)

    def stop_all(self):
        for process in self.programs:
            end(process)


def end(process):
    """Ends a program's whole session, and reaps it."""
    try:
        os.killpg(process.pid, 9)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


def other(side):
    return "linux" if side == "stack" else "stack"


def address_of(side):
    return STACK if side == "stack" else LINUX


@contextlib.contextmanager
def site(*options, limit_s=40):
    """A site; in the end its server is alive and holds no more than an idle one does."""
    with network() as w:
        s = Site(w, options)
        before = libe2e.baseline(s.server, w.b)
        try:
            yield s
            libe2e.server_alive(s.server)
            s.stop_all()
            libe2e.settled(s.server, before, limit_s)
        finally:
            s.stop_all()


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def sleep_until(moment):
    time.sleep(max(0.0, moment - time.monotonic()))


def keep(wanted):
    """Leaves only the tests whose names are wanted."""
    libe2e._tests[:] = [t for t in libe2e._tests if wanted(t[0])]


def main():
    return libe2e.main()
