#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# server: tsan
"""rumpus dump and rumpusd --pcap: what they show is what was on the wire, by tcpdump's reading."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys

import libe2e
import wire
from libe2e import equal, expect, test

LIMIT_S = 40
TEXT = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
        "text": True}
HTTP = [sys.executable, "-u", "-m", "http.server", "-d", "/nonexistent", "-b"]


class Rig:
    def __init__(self, stack, *options, kind=()):
        if shutil.which("tcpdump") is None:
            raise libe2e.Skip("no tcpdump; try: apt-get install tcpdump")
        self.wire = stack.enter_context(wire.Wire(kind=kind))
        self.control = f"{self.wire.folder}/control.sock"
        options = [o.replace("FOLDER", self.wire.folder) for o in options]
        self.server = self.wire.server("a", "--control", self.control, *options)
        self.stack = stack
        self.ping(1)  # the addresses are known

    def dump(self, *words, **kw):
        """A rumpus dump that listens."""
        child = subprocess.Popen(
            [wire.program("rumpus"), "-s", self.control, "dump", *words], **{**TEXT, **kw})
        self.stack.callback(end, child)
        line = child.stderr.readline()
        line = line if isinstance(line, str) else line.decode()
        expect("listening on" in line, f"dump {words}: {line}")
        return child

    def ping(self, n, *words):
        done = self.wire.b.run(["ping", "-n", "-q", "-c", str(n), "-i", "0.01", *words,
                                self.server.address], **TEXT)
        equal(done.returncode, 0, f"exit status of ping {done.stdout}")

    def fetch(self, n):
        """curl fetches from a web server on the stack, n times, a 404."""
        run = [wire.program("rumpus"), "-s", self.control, "run", "--"]
        web = self.wire.a.popen([*run, *HTTP, self.server.address, "0"], **TEXT)
        self.stack.callback(end, web)
        port = re.search(r"port (\d+)", web.stdout.readline()).group(1)
        for _ in range(n):
            done = self.wire.b.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m",
                                    "20", f"http://{self.server.address}:{port}/none"], **TEXT)
            equal(done.stdout, "404", "curl's status")
        end(web)
        return int(port)

    def nothing_left(self):
        name = "fdsock.captures"
        expect(wire.wait_until(lambda: self.server.get(name)[name] == 0, 10),
               "a capture was left behind")
        libe2e.server_alive(self.server)


def end(child):
    if child.poll() is None:
        child.kill()
    child.communicate()


def interrupt(child):
    """Ctrl-C. => what it printed, and its counts: (captured, received, dropped)"""
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=LIMIT_S)
    err = err if isinstance(err, str) else err.decode()
    equal(child.returncode, 0, f"exit status of dump ({err})")
    return out, counts(err)


def counts(err):
    found = re.search(r"(\d+) packets captured\n(\d+) packets received by filter\n"
                      r"(\d+) packets dropped", err)
    expect(found, f"no counts: {err}")
    return tuple(map(int, found.groups()))


def tcpdump(*words, **kw):
    """The lines that tcpdump makes of it."""
    done = subprocess.run(["tcpdump", "-n", "-t", *words], timeout=LIMIT_S, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    equal(done.returncode, 0, f"tcpdump: {done.stderr.decode()}")
    return done.stdout.decode().splitlines()


@contextlib.contextmanager
def rig(*options, **kw):
    with contextlib.ExitStack() as stack:
        yield Rig(stack, *options, **kw)


@test("dump -w - | tcpdump -r -, while ping and curl run: each packet, in order, both ways")
def piped():
    with rig() as r:
        child = r.dump("-i", "tap0", "-w", "-", "icmp or tcp", text=False)
        reader = subprocess.Popen(["tcpdump", "-n", "-t", "-r", "-"], stdin=child.stdout,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        r.stack.callback(end, reader)
        child.stdout.close()
        r.ping(5)
        port = r.fetch(2)
        child.send_signal(signal.SIGINT)
        lines, err = reader.communicate(timeout=LIMIT_S)
        captured, received, dropped = counts(child.stderr.read().decode())
        equal(child.wait(LIMIT_S), 0, "exit status of dump")
        lines = lines.splitlines()
        equal(reader.returncode, 0, f"exit status of tcpdump ({err})")
        equal((len(lines), dropped), (captured, 0), "lines, drops")
        expect(received >= captured, f"{received} received, {captured} captured")
        seqs = [int(re.search(r"seq (\d+)", line).group(1)) for line in lines if "ICMP" in line]
        equal(seqs, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5], "ICMP's numbers")
        equal(sum(f".{port}: Flags [S]" in line for line in lines), 2, "SYNs")
        equal(sum(f".{port}: Flags [P.]" in line for line in lines), 2, "requests")
        r.nothing_left()


@test("lines, as tcpdump's: time, interface, direction, ends; -c ends it by itself")
def lines():
    with rig() as r:
        child = r.dump("-c", "6", "icmp")
        one_way = r.dump("-i", "tap0", "-Q", "out", "-s", "38", "-e", "icmp")
        r.ping(3)
        out, err = child.communicate(timeout=LIMIT_S)
        equal(counts(err)[0], 6, "captured")
        got = [re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6} tap0 (In |Out) IP (\S+) > (\S+): ICMP echo "
                            r"(\w+), id \d+, seq (\d), length 64", x) for x in out.splitlines()]
        expect(all(got), f"lines: {out}")
        here, there = r.server.address, wire.LINUX_B
        equal([x.groups() for x in got],
              [y for n in "123" for y in (("In ", there, here, "request", n),
                                          ("Out", here, there, "reply", n))], "lines")
        out, (captured, _, _) = interrupt(one_way)
        equal((len(out.splitlines()), captured), (3, 3), "lines of one direction")
        expect(all(" Out " in x and "[cut at 24]" in x and ", length 38: IP" in x
                   for x in out.splitlines()), f"cut, with addresses: {out}")
        r.nothing_left()


@test("refused: bad expressions, interfaces, options, other users; and no server")
def refused():
    def run(*words, **kw):
        return subprocess.run([wire.program("rumpus"), *words], timeout=LIMIT_S, check=False,
                              **TEXT, **kw)

    def other_user():
        os.setgid(12345)
        os.setuid(12345)

    with rig() as r:
        for words, status, text in (
                (("tcp port",), 1, "syntax error"), (("-i", "tap7"), 1, "no such interface"),
                (("-c", "0"), 2, "not understood"), (("-i", "a" * 16), 2, "not understood"),
                (("ip", "protochain", "6"), 1, "does not take this filter"),
                (("-w", "/nonexistent/x"), 1, "No such file")):
            done = run("-s", r.control, "dump", *words)
            equal(done.returncode, status, f"dump {words}: {done.stderr}")
            expect(text in done.stderr and "; try: " in done.stderr, done.stderr)
        equal(run("-s", r.control + "x", "dump").returncode, 3, "no server")
        expect(len(run("dump", "--help").stdout.splitlines()) < 24, "the help fits a screen")
        os.chmod(r.wire.folder, 0o755)
        os.chmod(r.control, 0o777)
        try:
            os.setgroups([])
        except OSError:
            return
        done = run("-s", r.control, "dump", preexec_fn=other_user)
        equal(done.returncode, 1, f"another user: {done.stderr}")
        expect("not permitted" in done.stderr, done.stderr)
        r.nothing_left()


@test("a reader who does not read: the transfer goes on at its pace, and what was lost is told")
def slow():
    with rig() as r:
        child = r.dump("-i", "tap0", "-w", "-", text=False)
        wire.transfer(r.server.endpoint, r.wire.linux("b"), "-b", "64k", "-n", "30m")
        r.ping(3)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=LIMIT_S)
        captured, received, dropped = counts(err.decode())
        expect(dropped > 0 and received >= captured + dropped, f"the counts: {err}")
        expect(len(out) > 1 << 16, "it had what there was room for")
        r.nothing_left()


@test("killed, or interrupted before a packet came: nothing is left, and others go on")
def killed():
    with rig() as r:
        other = r.dump("icmp")
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGPIPE):
            child = r.dump("-w", "-", "host", "10.99.99.99", text=False)
            child.send_signal(number)
            child.communicate(timeout=LIMIT_S)
        r.ping(2)
        out, (captured, _, dropped) = interrupt(other)
        equal((len(out.splitlines()), captured, dropped), (4, 4, 0), "the other's lines")
        r.nothing_left()
        child = r.dump("icmp")
        r.ping(1)
        equal(r.server.stop(), 0, "exit status of the server")
        out, err = child.communicate(timeout=LIMIT_S)
        equal(child.returncode, 1, "exit status when the server ends")
        expect("the server has ended" in err and len(out.splitlines()) == 2, err + out)


@test("rumpusd --pcap: all interfaces in one file, readable while it runs and whole at the end")
def pcap():
    with rig("--pcap", "FOLDER/all.pcapng") as r:
        path = f"{r.wire.folder}/all.pcapng"
        r.ping(4)
        expect(wire.wait_until(lambda: len(tcpdump("-r", path, "icmp")) == 10),
               "not all of it is in the file")
        equal(os.stat(path).st_mode & 0o777, 0o600, "the file's mode")
        run = [wire.program("rumpus"), "-s", r.control, "run", "--all", "--"]
        done = r.wire.a.run([*run, "ping", "-q", "-c", "2", "-i", "0.01", "127.0.0.1"], **TEXT)
        equal(done.returncode, 0, "exit status of ping to itself")
        equal(r.server.stop(), 0, "exit status")
        equal(len(tcpdump("-r", path, "icmp and host 127.0.0.1")), 4, "packets of lo0")
        with open(path, "rb") as f:
            names = f.read()
        expect(b"lo0" in names and b"tap0" in names, "names of interfaces")


@test("rumpusd --pcap: a full disk is said once and the server goes on; no file, no server")
def full():
    with rig("--pcap", "/dev/full") as r:
        r.ping(5)
        r.ping(5)
        expect(wire.wait_until(lambda: "No space left" in r.server.text()), r.server.text())
        equal(r.server.text().count("--pcap /dev/full"), 1, f"said once: {r.server.text()}")
        equal(r.server.stop(), 0, "exit status")
    done = subprocess.run([wire.program("rumpusd"), "-f", "--sysproxy", "unix:///nonexistent/s",
                           "--pcap", "/nonexistent/x"], timeout=LIMIT_S, check=False, **TEXT)
    equal(done.returncode, 1, f"no file: {done.stderr}")
    expect("/nonexistent/x: No such file" in done.stderr, done.stderr)


@test("with threads: the packets of every stack, in one capture and one file")
def threads():
    with rig("--threads", "2", "--pcap", "FOLDER/all.pcapng", kind=("multi_queue",)) as r:
        child = r.dump("-w", "-", "icmp or tcp", text=False)
        file = f"{r.wire.folder}/seen.pcapng"
        r.fetch(20)
        r.ping(5)
        out, (captured, received, dropped) = interrupt(child)
        with open(file, "wb") as f:
            f.write(out)
        seen = tcpdump("-r", file, "tcp or icmp")
        equal((len(seen), dropped), (captured, 0), "packets of the capture")
        expect(received >= captured, "received")
        equal(r.server.stop(), 0, "exit status")
        whole = tcpdump("-r", f"{r.wire.folder}/all.pcapng", "tcp or icmp")
        expect(len(whole) >= captured, f"{len(whole)} packets in the file, {captured} captured")
        equal(sum("Flags [S]," in line for line in seen), 20, "SYNs of all threads")


if __name__ == "__main__":
    sys.exit(libe2e.main())
