#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 280
"""rumpus run: programs made for Linux on the stack, each against a Linux peer.

The program on the stack runs in host a's namespace, where the host's own loopback is.
"""
import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import libe2e
import wire
from libe2e import Skip, equal, expect, test

LIMIT_S = 40
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
         "text": True}
PAGE = bytes(range(256)) * 4096 * 3


class Rig:
    """A wire, a server with a control socket, a folder with a page to serve."""

    def __init__(self, stack):
        self.wire = stack.enter_context(wire.Wire())
        self.folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.control = f"{self.wire.folder}/control.sock"
        self.start()
        with open(f"{self.folder}/page", "wb") as f:
            f.write(PAGE)
        self.stack = stack

    def start(self):
        self.server = self.wire.server("a", "--control", self.control)

    def run_words(self, *words):
        return [wire.program("rumpus"), "-s", self.control, "run", *words]

    def on_stack(self, *words, options=(), **kw):
        """Runs a program on the stack to its end."""
        done = self.wire.a.run(self.run_words(*options, "--", *words), timeout=LIMIT_S,
                               **{**PIPES, **kw})
        libe2e.server_alive(self.server)
        return done

    def python(self, text, *args, **kw):
        """What a python program on the stack prints."""
        done = self.on_stack(sys.executable, "-c", text, *args, **kw)
        equal(done.returncode, 0, f"exit status ({done.stderr.strip()})")
        return done.stdout.split()

    def start_on_stack(self, *words):
        return self._started(self.wire.a.popen(self.run_words("--", *words),
                                             start_new_session=True, **PIPES))

    def start_on_linux(self, *words):
        return self._started(self.wire.b.popen(words, start_new_session=True, **PIPES))

    def _started(self, process):
        def end():  # its workers, too
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        self.stack.callback(end)
        return process

    def fetch(self, address, port):
        """What a Linux curl gets from a server."""
        out = f"{self.folder}/got"

        def got():
            return self.wire.b.run(["curl", "-sS", "-m", "20", "-o", out,
                                    f"http://{address}:{port}/page"], **PIPES).returncode == 0
        expect(wire.wait_until(got, 20, 0.1), "no answer")
        with open(out, "rb") as f:
            return f.read()

    def web_server(self):
        """A web server on Linux, ready."""
        process = self.start_on_linux(sys.executable, "-u", "-m", "http.server", "0", "--bind",
                                      wire.LINUX_B, "--directory", self.folder)
        return process.stdout.readline().split(" port ")[1].split()[0]


def rig_test(name, *tools):
    def add(function):
        @test(name)
        def run():
            for tool in tools:
                if shutil.which(tool) is None:
                    raise Skip(f"{tool} is not installed")
            with contextlib.ExitStack() as stack:
                rig = Rig(stack)
                function(rig)
                libe2e.server_alive(rig.server)
        return run
    return add


ECHO = """
import socket, threading, struct, sys
def serve(l, f):
    while True:
        c, a = l.accept()
        threading.Thread(target=f, args=(c, a), daemon=True).start()
def echo(c, a):
    with c:
        while d := c.recv(65536): c.sendall(d)
def reset(c, a):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); c.close()
ports = []
for f in (echo, reset):
    l = socket.create_server((sys.argv[1], 0)); ports.append(l.getsockname()[1])
    threading.Thread(target=serve, args=(l, f), daemon=True).start()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind((sys.argv[1], 0))
print(*ports, u.getsockname()[1], flush=True)
while True:
    d, a = u.recvfrom(70000); u.sendto(d, a)
"""


def peer(rig):
    """An echo server on Linux. Returns its ports: TCP, TCP that resets, UDP."""
    return rig.start_on_linux(sys.executable, "-c", ECHO, wire.LINUX_B).stdout.readline().split()


# --- programs -----------------------------------------------------------------------------------

@rig_test("curl and wget fetch from Linux; a closed port is refused", "curl", "wget")
def fetch(rig):
    port = rig.web_server()
    for words in (["curl", "-sS", "-o"], ["wget", "-q", "-O"]):
        out = f"{rig.folder}/{words[0]}"
        done = rig.on_stack(*words, out, f"http://{wire.LINUX_B}:{port}/page")
        equal(done.returncode, 0, f"{words[0]}: {done.stderr}")
        with open(out, "rb") as f:
            expect(f.read() == PAGE, f"{words[0]}: another page")
    equal(rig.on_stack("curl", "-sS", f"http://{wire.LINUX_B}:1/").returncode, 7, "curl: refused")


@rig_test("python3 http.server serves Linux", "curl")
def serve_python(rig):
    process = rig.start_on_stack(sys.executable, "-u", "-m", "http.server", "0", "--bind",
                                 wire.STACK_A, "--directory", rig.folder)
    port = process.stdout.readline().split(" port ")[1].split()[0]
    expect(rig.fetch(wire.STACK_A, port) == PAGE, "another page")


@rig_test("asyncio: 50 connections at once, each way")
def asyncio_both(rig):
    tcp = peer(rig)[0]
    client = """
import asyncio, sys
async def one(i):
    r, w = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    data = bytes([i]) * 50000
    w.write(data); w.write_eof()
    got = await r.read(); w.close()
    return got == data
async def main(): print(sum(await asyncio.gather(*map(one, range(50)))))
asyncio.run(main())
"""
    equal(rig.python(client, wire.LINUX_B, tcp), ["50"], "connections")
    server = """
import asyncio, sys
async def serve(r, w):
    w.write(await r.read()); await w.drain(); w.close()
async def main():
    s = await asyncio.start_server(serve, sys.argv[1], 0)
    print(s.sockets[0].getsockname()[1], flush=True)
    await s.serve_forever()
asyncio.run(main())
"""
    port = rig.start_on_stack(sys.executable, "-c", server, wire.STACK_A).stdout.readline().strip()
    done = rig.wire.b.run([sys.executable, "-c", client, wire.STACK_A, port], timeout=LIMIT_S,
                          **PIPES)
    equal(done.stdout.split(), ["50"], f"connections ({done.stderr})")


@rig_test("nc: client and server, TCP", "nc")
def netcat(rig):
    listener = rig.start_on_stack("nc", "-l", "-N", wire.STACK_A, "9000")

    def talked():
        return rig.wire.b.run(["nc", "-N", wire.STACK_A, "9000"], input="from linux\n",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True).returncode == 0
    expect(wire.wait_until(talked, 10, 0.1), "no answer")
    equal(listener.communicate(timeout=10)[0], "from linux\n", "what the server heard")
    done = rig.on_stack("nc", "-N", wire.LINUX_B, peer(rig)[0], stdin=None, input="echo\n")
    equal(done.stdout, "echo\n", "what the client heard")


@rig_test("iperf3: client both ways, server, UDP", "iperf3")
def iperf(rig):
    for options in ([], ["-R"], ["-u", "-b", "20M"]):
        listener = rig.start_on_linux("iperf3", "-s", "-1", "-p", "5300", "--forceflush")
        listener.stdout.readline()
        wire.wait_until(lambda: "Server listening" in listener.stdout.readline(), 10)
        done = rig.on_stack("iperf3", "-c", wire.LINUX_B, "-p", "5300", "-t", "1", *options)
        expect("receiver" in done.stdout, f"{options}: {done.stdout}{done.stderr}")
        listener.wait(10)
    listener = rig.start_on_stack("iperf3", "-s", "-1", "-p", "5301", "--forceflush")
    wire.wait_until(lambda: "Server listening" in listener.stdout.readline(), 10)
    done = rig.wire.b.run(["iperf3", "-c", wire.STACK_A, "-p", "5301", "-t", "1"], **PIPES)
    expect("receiver" in done.stdout, f"server: {done.stdout}{done.stderr}")


@rig_test("node's http: server and client", "node", "curl")
def node(rig):
    server = """
const fs = require('fs'), s = require('http').createServer(
  (q, r) => fs.createReadStream(process.argv[2] + q.url).pipe(r));
s.listen(0, process.argv[1], () => console.log(s.address().port));
"""
    process = rig.start_on_stack("node", "-e", server, wire.STACK_A, rig.folder)
    expect(rig.fetch(wire.STACK_A, process.stdout.readline().strip()) == PAGE, "another page")
    client = """
const h = require('crypto').createHash('sha256');
require('http').get(process.argv[1], r => { r.on('data', d => h.update(d));
  r.on('end', () => console.log(h.digest('hex'))); });
"""
    done = rig.on_stack("node", "-e", client, f"http://{wire.LINUX_B}:{rig.web_server()}/page")
    equal(done.stdout.strip(), hashlib.sha256(PAGE).hexdigest(), f"page ({done.stderr})")


# --- what programs rely on ----------------------------------------------------------------------

PROBE = """
import os, select, signal, socket, struct, sys, time
peer = (sys.argv[1], int(sys.argv[2])); reset = (sys.argv[1], int(sys.argv[3]))
udp = (sys.argv[1], int(sys.argv[4])); mine = sys.argv[5]
def say(*words): print(*(str(w).replace(" ", "") for w in words), flush=True)
def error(f, *a):
    try: return f(*a)
    except OSError as e: return os.strerror(e.errno)
S = socket.socket
def to(where): s = S(); s.connect(where); return s
s = S(); low = s.fileno()
say("low", low == os.dup(2) - 1, error(s.getpeername), error(s.accept), error(s.connect, (mine, 1)))
s = to(peer); say("connected", error(s.connect, peer), s.getpeername() == peer)
s.sendall(b"abc"); say(s.recv(2, socket.MSG_PEEK), s.recv(9))
os.write(s.fileno(), b"def"); say(os.read(s.fileno(), 9))
s.shutdown(socket.SHUT_WR); say(s.recv(1), s.recv(1), error(s.send, b"x"))
s = S(); s.setblocking(False); say(error(s.connect, peer))
say(len(select.select([], [s], [], 5)[1]), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
s = S(); s.setblocking(False); say(error(s.connect, (peer[0], 1)))
say(len(select.select([], [s], [], 5)[1]), s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
for first in (lambda s: error(s.recv, 1), lambda s: error(s.send, b"x"),
              lambda s: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
    s = to(reset); select.select([s], [], [], 5)
    say(first(s), error(s.recv, 1), error(s.send, b"x"))
u = S(type=socket.SOCK_DGRAM); say(error(u.send, b"x"), u.sendto(b"dgram", udp))
say(u.recvmsg(3)[0::2], u.sendto(b"", udp), u.recvfrom(9) == (b"", udp))
u.connect(udp); os.write(u.fileno(), b"w"); say(os.read(u.fileno(), 9), error(u.send, b"x" * 65508))
u = S(type=socket.SOCK_DGRAM); u.connect((udp[0], 1)); u.send(b"x")
select.select([u], [], [], 5); say(error(u.recv, 1))
a, b = socket.socketpair(); s = to(peer); socket.send_fds(a, [b"x"], [s.fileno()]); s.close()
s = S(fileno=socket.recv_fds(b, 1, 1)[1][0]); s.sendall(b"passed"); say(s.recv(9))
if os.fork() == 0: s.sendall(b"child"); os._exit(0)
say(os.wait()[1], s.recv(9))
l = socket.create_server(("127.0.0.1", 0)); c = to(l.getsockname()); c.sendall(b"lo")
say(l.accept()[0].recv(9))
for where in (peer, reset):
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL); s = to(where)
        if where == peer: s.shutdown(socket.SHUT_WR)
        else: select.select([s], [], [], 5)
        os._exit(9 if error(os.write, s.fileno(), b"x") == "Connection reset by peer" else 1)
    say(os.waitpid(pid, 0)[1])
os.closerange(3, 4096); t = to(peer); t.sendall(b"again"); say(t.recv(9), t.fileno()); os._exit(0)
"""


@rig_test("calls, errors and signals are the host's, word for word")
def probe(rig):
    ports = peer(rig)
    native = rig.wire.a.run([sys.executable, "-c", PROBE, wire.LINUX_B, *ports, wire.LINUX_A],
                            timeout=LIMIT_S, **PIPES)
    equal(native.returncode, 0, f"on the host ({native.stderr})")
    ours = rig.on_stack(sys.executable, "-c", PROBE, wire.LINUX_B, *ports, wire.STACK_A)
    equal(ours.returncode, 0, f"on the stack ({ours.stdout} {ours.stderr})")
    for n, (want, got) in enumerate(zip(native.stdout.splitlines(), ours.stdout.splitlines()), 1):
        equal(got, want, f"line {n}")
    expect(len(native.stdout.splitlines()) > 20, "the probe did not say much")


@rig_test("four workers that accept on one listener serve 200 connections")
def prefork(rig):
    server = """
import os, socket, sys
l = socket.create_server((sys.argv[1], 0), backlog=256); print(l.getsockname()[1], flush=True)
for i in range(3):
    if os.fork() == 0: break
while True:
    c, a = l.accept(); c.sendall(b"%d" % os.getpid()); c.close()
"""
    port = rig.start_on_stack(sys.executable, "-c", server, wire.STACK_A).stdout.readline().strip()
    client = """
import socket, sys
def one():
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 20) as s: return s.recv(99)
print(*[one().decode() for i in range(200)])
"""
    done = rig.wire.b.run([sys.executable, "-c", client, wire.STACK_A, port], timeout=LIMIT_S,
                          **PIPES)
    answers = done.stdout.split()
    equal(len(answers), 200, f"answers ({done.stderr})")


@rig_test("rules: a port stays on the host; --all takes loopback along")
def rules(rig):
    ask = "import socket, sys; s = socket.socket(); s.connect((sys.argv[1], int(sys.argv[2])));" \
          "print(s.getsockname()[0], s.getsockopt(1, 39))"
    tcp, reset, _ = peer(rig)
    equal(rig.python(ask, wire.LINUX_B, tcp)[0], wire.STACK_A, "address by default")
    with open(f"{rig.folder}/rules", "w", encoding="ascii") as f:
        f.write(f"# the first that matches\nhost tcp connect {wire.LINUX_B} port {tcp}\nstack\n")
    options = ("--rules", f"{rig.folder}/rules")
    equal(rig.python(ask, wire.LINUX_B, tcp, options=options)[0], wire.LINUX_A, "by the rule")
    equal(rig.python(ask, wire.LINUX_B, reset, options=options)[0], wire.STACK_A, "without one")
    both = "import socket; l = socket.create_server(('127.0.0.1', 0)); s = socket.socket();" \
           "s.connect(l.getsockname()); s.send(b'x'); a = l.accept()[0]; a.recv(1);" \
           "print('0100007F:%04X 00000000' % l.getsockname()[1] in open('/proc/net/tcp').read())"
    equal(rig.python(both), ["True"], "loopback is the host's")
    equal(rig.python(both, options=["--all"]), ["False"], "with --all")
    done = rig.on_stack("true", options=["--rules", "/dev/null", "-v"])
    equal(done.returncode, 0, "empty rules")
    with open(f"{rig.folder}/rules", "a", encoding="ascii") as f:
        f.write("hots 1.2.3.4\n")
    done = rig.on_stack("true", options=options)
    equal(done.returncode, 125, "bad rules")
    expect(":4: a rule begins" in done.stderr, f"bad rules: {done.stderr}")


@rig_test("interfaces: names, addresses and ioctls are the stack's")
def interfaces(rig):
    text = """
import fcntl, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
name = struct.pack("256s", b"tap0")
print(*(n for _, n in socket.if_nameindex()), socket.if_indextoname(socket.if_nametoindex("tap0")),
      socket.inet_ntoa(fcntl.ioctl(s, 0x8915, name)[20:24]))
"""
    equal(rig.python(text), ["lo0", "tap0", "tap0", wire.STACK_A], "interfaces")


@rig_test("a program's status is run's; what cannot be preloaded is refused")
def refusals(rig):
    equal(rig.on_stack("sh", "-c", "exit 42").returncode, 42, "status")
    equal(rig.on_stack("/nonexistent/program").returncode, 127, "no such program")
    equal(rig.on_stack("/etc/passwd").returncode, 126, "not executable")
    absent = subprocess.run([wire.program("rumpus"), "-s", f"{rig.folder}/none", "run", "true"],
                            check=False, **PIPES)
    equal(absent.returncode, 3, "no server")
    expect(absent.stderr.startswith("rumpus: server:"), absent.stderr)
    program = f"{rig.folder}/program"
    shutil.copy("/bin/true", program)
    os.chown(program, 1, 1) if os.getuid() == 0 and _mapped(1) else None
    os.chmod(program, 0o4755)
    if os.stat(program).st_uid != os.geteuid():
        done = rig.on_stack(program)
        equal(done.returncode, 125, "setuid")
        expect("setuid" in done.stderr, done.stderr)
    if shutil.which("cc") is None:
        return
    static = subprocess.run(["cc", "-static", "-x", "c", "-", "-o", program], check=False,
                            input="int main(void) { return 0; }", text=True,
                            stderr=subprocess.DEVNULL)
    if static.returncode == 0:
        done = rig.on_stack(program)
        equal(done.returncode, 125, "static")
        expect("statically linked" in done.stderr, done.stderr)


@rig_test("files of another C library, word size or machine, broken ones, and scripts of such")
def kinds(rig):
    with open("/bin/true", "rb") as f:
        good = f.read()
    loader = re.search(rb"/lib[^\0]*/ld-[^\0]*", good)[0]
    musl = b"/lib/ld-musl-x.so.1".ljust(len(loader), b"\0")[:len(loader)]
    where = f"{rig.folder}/kind"
    for text, data in (
            ("another C library (/lib/ld-musl-x.so.1)", good.replace(loader, musl)),
            ("another word size", good[:4] + bytes([3 - good[4]]) + good[5:]),
            ("another machine", good[:18] + bytes([good[18] ^ 1]) + good[19:]),
            ("make no sense", good[:54] + b"\xff\xff" + good[56:]),
            ("make no sense", good[:64])):
        with open(where, "wb") as f:
            f.write(data)
        with open(where + ".script", "w", encoding="utf-8") as f:
            f.write(f"#! {where} -x\n")
        for program in (where, where + ".script"):
            os.chmod(program, 0o755)
            done = rig.on_stack(program)
            equal(done.returncode, 125, f"{text}: exit status ({done.stderr})")
            expect(text in done.stderr, f"{text}: {done.stderr}")
    with open(where, "w", encoding="utf-8") as f:
        f.write(f"#!{where}\n")
    done = rig.on_stack(where)
    equal(done.returncode, 125, "a script of itself")
    expect("a chain that is too long" in done.stderr, done.stderr)


def _mapped(uid):
    with open("/proc/self/uid_map", encoding="ascii") as f:
        return any(int(a) <= uid < int(a) + int(n) for a, _, n in map(str.split, f))


@rig_test("the server ends: old sockets are reset, new ones fail, and work when it is back")
def restart(rig):
    text = """
import os, socket, sys
def error(f, *a):
    try: return f(*a)
    except OSError as e: return os.strerror(e.errno).replace(" ", "")
def to():
    s = socket.socket(); s.connect((sys.argv[1], int(sys.argv[2]))); return s
old, u = to(), socket.socket(type=socket.SOCK_DGRAM)
print("ready", flush=True)
print(error(old.recv, 1), flush=True)
sys.stdin.readline()
print(error(old.send, b"x"), error(old.recv, 1), error(u.recv, 1), error(socket.socket),
      error(old.getsockname), flush=True)
sys.stdin.readline()
s = to(); s.sendall(b"back"); print(s.recv(9).decode(), error(old.recv, 1))
"""
    tcp = peer(rig)[0]
    words = rig.run_words("--", sys.executable, "-c", text, wire.LINUX_B, tcp)
    process = rig._started(rig.wire.a.popen(words, start_new_session=True,
                                            **{**PIPES, "stdin": subprocess.PIPE}))
    equal(process.stdout.readline(), "ready\n", "start")
    rig.server.process.kill()
    rig.server.process.wait()
    reset = "Connectionresetbypeer"
    equal(process.stdout.readline().strip(), reset, "a reader")
    process.stdin.write("\n")
    process.stdin.flush()
    equal(process.stdout.readline().split(), [reset, reset, reset, "Networkisdown", reset],
          "without a server")
    rig.start()
    out, errors = process.communicate("\n", timeout=LIMIT_S)
    equal(out.split(), ["back", reset], f"with a server again ({errors})")


if __name__ == "__main__":
    sys.exit(libe2e.main())
