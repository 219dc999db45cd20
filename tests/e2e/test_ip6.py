#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
"""IPv6 with Linux at the other end of the wire: neighbours, fragments, transfers in both roles by
programs that know nothing of us, a path with a smaller MTU, and addresses by a router's word.

    stack fd73::1 --- fd73::3 router fd74::1 --- fd74::2 far, over a link of a smaller MTU
"""
import contextlib
import hashlib
import re
import subprocess
import sys

import libdatagrams
import libe2e
import wire
from libe2e import equal, expect, test

STACK, LINUX, ROUTER_FAR, FAR = "fd73::1", "fd73::3", "fd74::1", "fd74::2"
MAC, EUI64 = "02:73:00:00:00:01", "73:ff:fe00:1"
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
LARGE = 20_000_000

# A web server of one page of so many bytes; what a client gets of another's, by its hash.
SERVE = """
import hashlib, http.server, socket, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = hashlib.shake_256(b"rumpus").digest(int(self.path[1:]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
server = Server((sys.argv[1], 0), Page)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
DATAGRAMS = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(1)
s.connect((sys.argv[1], int(sys.argv[2])))
for n in (0, 1, 100, 1452, 1453, 4000, 65507):
    sent = bytes((i * 7 + n) & 255 for i in range(n))
    for attempt in range(5):  # a datagram may be lost
        try:
            s.send(sent)
            got = s.recv(70000)
        except (TimeoutError, ConnectionRefusedError):
            continue
        if len(got) == n:
            break
    assert got == sent, n
whole = 0
for burst in range(8):  # alike but for the last: what the tap sends as one
    want = [bytes((i + burst + j * 3) & 255 for j in range(3 if i == 29 else 1400))
            for i in range(30)]
    for data in want:
        s.send(data)
    got = []
    try:
        while len(got) < len(want):
            got.append(s.recv(70000))
    except TimeoutError:
        pass
    left = iter(want)
    assert all(data in left for data in got), burst  # in order, and none but those
    whole += got == want
assert whole > 3, whole
"""
ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 0))
print(s.getsockname()[1], flush=True)
while True:
    s.sendto(*s.recvfrom(70000))
"""
# A router's advertisement of fd74:1::/64, as radvd would send it.
ADVERTISE = """
import socket, struct, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
index = socket.if_nametoindex(sys.argv[1])
prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 7200, 3600, 0)
prefix += socket.inet_pton(socket.AF_INET6, "fd74:1::")
ra = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
s.sendto(ra, ("ff02::1", 0, 0, index))
"""


class Rig:
    def __init__(self, stack, tap=f",addr={STACK}/64,mac={MAC}", threads=1):
        kind = ("multi_queue",) if threads > 1 else ()
        self.wire = stack.enter_context(wire.Wire(kind=kind))
        self.a, self.b, self.stack = self.wire.a, self.wire.b, stack
        for address in (LINUX, "fe80::3"):
            self.b.ip("-6", "addr", "replace", f"{address}/64", "dev", "wire", "nodad")
        self.control = f"{self.wire.folder}/control.sock"
        self.server = self.wire.server("a", "--control", self.control, "--threads", str(threads),
                                       tap=tap)
        self.ours = (wire.program("rumpus"), "-s", self.control, "run", "--")

    def reached(self, address, *options):
        """The stack answers there: a new address is probed first, which takes a while."""
        expect(wire.wait_until(lambda: self.ping(address, "-c", "1", "-W", "1", *options), 15, 0.1),
               f"{address} does not answer{self.server.state()}")

    def ping(self, address, *options):
        done = self.b.run(["ping", "-6", "-n", "-q", *options, address], **PIPES)
        return done.returncode == 0

    def serving(self, host, before, code, *arguments):
        process = host.popen([*before, sys.executable, "-c", code, *arguments], **PIPES)
        self.stack.callback(process.communicate)
        self.stack.callback(process.kill)
        return process.stdout.readline().decode().strip()

    def fetch(self, host, before, address, port, size, *options):
        done = host.run([*before, "curl", "-sS", "-g", "-m", "60", *options,
                         f"http://[{address}]:{port}/{size}"], **PIPES)
        equal((done.returncode, done.stderr), (0, b""), f"curl of {size} bytes")
        expect(done.stdout == hashlib.shake_256(b"rumpus").digest(size),
               f"{len(done.stdout)} of {size} bytes, or others")


@contextlib.contextmanager
def rig(*arguments):
    with contextlib.ExitStack() as stack:
        r = Rig(stack, *arguments)
        yield r
        libe2e.server_alive(r.server)


@test("ping -6: every echo comes back, small, large and in fragments; by a link-local address, too")
def ping():
    with rig() as r:
        r.reached(STACK)
        for size in (0, 56, 1452, 1453, 8000, 60000):
            done = r.b.run(["ping", "-6", "-n", "-q", "-c", "20", "-i", "0.01", "-W", "2", "-s",
                            str(size), STACK], **PIPES)
            expect(re.search(rb"\b20 received, 0% packet loss", done.stdout),
                   f"{size} bytes: {done.stdout}{done.stderr}{r.server.state()}")
        r.reached(f"fe80::{EUI64}%wire")
        neighbours = r.b.run(["ip", "-6", "neigh", "show", STACK], **PIPES).stdout
        expect(MAC.encode() in neighbours, f"the neighbour as Linux has it: {neighbours}")


@test("curl over IPv6, in both roles: bodies of any size, byte for byte")
def curl():
    with rig() as r:
        r.reached(STACK)
        port = r.serving(r.a, r.ours, SERVE, STACK)
        for size in (0, 1, 1440, 65537, LARGE):
            r.fetch(r.b, (), STACK, port, size)
        port = r.serving(r.b, (), SERVE, LINUX)
        for size in (0, 1, 1440, 65537, LARGE):
            r.fetch(r.a, r.ours, LINUX, port, size)
        segments = r.server.get("net.inet.tcp.stats.sndpack", "net.inet.tcp.stats.rcvpack")
        # Both ways in segments of many kilobytes, which the tap cuts and joins.
        for name, n in segments.items():
            expect(n < LARGE / 4000, f"{name} {n} for {LARGE} bytes")


@test("datagrams over IPv6 up to the largest")
def datagrams():
    with rig() as r:
        r.reached(STACK)
        port = r.serving(r.a, r.ours, ECHO, STACK)
        done = r.b.run([sys.executable, "-c", DATAGRAMS, STACK, port], **PIPES)
        equal((done.returncode, done.stderr), (0, b""), "datagrams to the stack")
        port = r.serving(r.b, (), ECHO, LINUX)
        done = r.a.run([*r.ours, sys.executable, "-c", DATAGRAMS, LINUX, port], **PIPES)
        equal((done.returncode, done.stderr), (0, b""), "datagrams from the stack")


def toobig(r):
    return r.server.get("net.inet6.icmp6.stats.pmtuchg")["net.inet6.icmp6.stats.pmtuchg"]


@test("datagrams over IPv6 that a peer sends several at once (UDP_SEGMENT)")
def several():
    with rig() as r:
        r.reached(STACK)
        for joined in ("0", "1"):
            port = r.serving(r.a, r.ours, libdatagrams.ECHO_EACH, STACK, joined)
            libdatagrams.exchange(r.b, r.a, STACK, port, True)


@test("a path whose middle takes less: packet too big is heard, and the transfer is whole")
def path_mtu():
    with rig(f",addr={STACK}/64,addr=fd73::5/64,gw={LINUX},mac={MAC}") as r:
        far = wire.Host(f"rumpus-{r.wire.tag}-far")
        r.stack.callback(far.remove)
        wire.ip("link", "add", "beyond", "netns", r.b.name, "type", "veth", "peer", "name", "beyond",
                "netns", far.name)
        for host, address in ((r.b, ROUTER_FAR), (r.b, "fe80::1"), (far, "fe80::2"), (far, FAR),
                              (far, "fd74::4")):
            host.up("beyond")
            host.ip("-6", "addr", "add", f"{address}/64", "dev", "beyond", "nodad")
        r.b.ip("link", "set", "beyond", "mtu", "1320")
        far.ip("-6", "route", "add", "default", "via", ROUTER_FAR)
        far.ip("-6", "route", "add", "fd73::5", "via", ROUTER_FAR, "mtu", "1320", "src", FAR)
        r.b.run(["sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"])
        r.reached(STACK)
        done = far.run(["ping", "-6", "-n", "-q", "-c", "5", "-i", "0.1", "-W", "2", "-s", "4000",
                        "fd73::5"], **PIPES)
        expect(re.search(rb"\b[45] received", done.stdout), f"fragments: {done.stdout}")
        expect(toobig(r) > 0, "no packet too big was heard of an echo")
        # From an address of which it is not known yet, and whose SYN tells that 1440 is fine.
        before = toobig(r)
        port = r.serving(r.a, r.ours, SERVE, STACK)
        r.fetch(far, (), STACK, port, 3_000_000, "--interface", "fd74::4")
        expect(toobig(r) > before, "no packet too big was heard of TCP")


# Many connections and datagrams at once: each may come to another thread than its own.
MANY = """
import socket, sys
address, port, dgport = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
socks = [socket.create_connection((address, port), timeout=20) for _ in range(32)]
for i, s in enumerate(socks):
    s.sendall(b"GET /%d HTTP/1.0\\r\\n\\r\\n" % (5000 + i))
for i, s in enumerate(socks):
    got = s.makefile("rb").read()
    assert len(got) > 5000 + i, len(got)
for i in range(32):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.settimeout(1)
    s.connect((address, dgport))
    for attempt in range(5):
        try:
            s.send(b"%d" % i)
            assert s.recv(100) == b"%d" % i
            break
        except TimeoutError:
            continue
    else:
        raise SystemExit(f"no answer to {i}")
"""


@test("with --threads: neighbours, connections and datagrams of every thread")
def threads():
    with rig(f",addr={STACK}/64,mac={MAC}", 2) as r:
        r.reached(STACK)
        port = r.serving(r.a, r.ours, SERVE, STACK)
        dgport = r.serving(r.a, r.ours, ECHO, STACK)
        done = r.b.run([sys.executable, "-c", MANY, STACK, port, dgport], timeout=60, **PIPES)
        equal((done.returncode, done.stderr), (0, b""), "connections and datagrams")
        port = r.serving(r.b, (), SERVE, LINUX)
        for size in (1, 65537, 3_000_000):
            r.fetch(r.a, r.ours, LINUX, port, size)
        done = r.b.run(["ping", "-6", "-n", "-q", "-c", "20", "-i", "0.01", "-s", "4000", STACK],
                       **PIPES)
        expect(b" 20 received" in done.stdout, f"echoes: {done.stdout}")


@test("addr=auto: address and default route by a router's advertisement")
def autoconf():
    with rig(f",addr=auto,mac={MAC}") as r:
        r.b.ip("-6", "addr", "add", "fd74:1::3/64", "dev", "wire", "nodad")
        done = r.b.run([sys.executable, "-c", ADVERTISE, "wire"], **PIPES)
        equal((done.returncode, done.stderr), (0, b""), "the advertisement")
        r.reached(f"fd74:1::{EUI64}")
        port = r.serving(r.b, (), SERVE, LINUX)  # another network: by the default route
        r.b.ip("-6", "route", "replace", "fd74:1::/64", "dev", "wire")
        r.fetch(r.a, r.ours, LINUX, port, 5000)


if __name__ == "__main__":
    sys.exit(libe2e.main())
