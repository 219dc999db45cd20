#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Taps and peers that leave different things to the interface: checksums, segmentation, MTU, VLANs.

On every wire: two verified streams at once, writes of two sizes, and datagrams up to the largest.
"""
import contextlib
import subprocess
import sys

import libdatagrams
import libe2e
import wire
from libe2e import equal, expect, test

STREAMS = ((1000, 1 << 20), (1 << 18, 6 << 20))  # bytes of a write, and of all
ROUTED, BEHIND = "10.74.0.1", "10.74.0.2"  # of the tap as an interface of its own: host, stack

# Turns offloads of an interface off, by the calls that ethtool makes.
PLAIN = """
import fcntl, socket, struct, sys, ctypes
RX, TX, SG, TSO, GSO, GRO = 0x15, 0x17, 0x19, 0x1f, 0x24, 0x2c
sock = socket.socket()
for command in (TSO, GSO, GRO, SG, TX, RX):
    value = ctypes.create_string_buffer(struct.pack("II", command, 0))
    request = struct.pack("16sP", sys.argv[1].encode(), ctypes.addressof(value)) + bytes(16)
    fcntl.ioctl(sock, 0x8946, request)
"""
ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 0))
print(s.getsockname()[1], flush=True)
while True:
    data, who = s.recvfrom(70000)
    s.sendto(data, who)
"""
# Bursts of datagrams that are all alike but for the last: what the tap sends as one.
BURSTS = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.connect((sys.argv[1], int(sys.argv[2])))
whole = 0
for size, last in ((1400, 1400), (1400, 3), (1472, 1000), (64, 64), (20, 19)):
    for burst in range(8):
        want = [bytes((i + size + burst + j * 3) & 255 for j in range(last if i == 29 else size))
                for i in range(30)]
        for data in want:
            s.send(data)
        got = []
        try:
            while len(got) < len(want):
                got.append(s.recv(70000))
        except TimeoutError:
            pass  # one may be lost
        left = iter(want)
        assert all(data in left for data in got), (size, burst)  # in order, and none but those
        whole += got == want
assert whole > 20, whole
"""
ASK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.connect((sys.argv[1], int(sys.argv[2])))
largest = int(sys.argv[3])
for n in (0, 1, 100, 547, 548, 1472, 1473, 4000, 8973, 20000, 65507):
    n = min(n, largest)
    sent = bytes((i * 7 + n) & 255 for i in range(n))
    for attempt in range(5):  # a datagram may be lost
        try:
            s.send(sent)
            got = s.recv(70000)
        except (TimeoutError, ConnectionRefusedError):
            continue
        if len(got) == n:  # not the late answer to one before
            break
    assert got == sent, n
"""


def plain(host, interface):
    done = host.run([sys.executable, "-c", PLAIN, interface], stdout=-1, stderr=-1, text=True)
    equal(done.returncode, 0, f"offloads of {interface} ({done.stderr.strip()})")


def mtu(host, size, *interfaces):
    for interface in interfaces:
        host.ip("link", "set", "dev", interface, "mtu", str(size))


class Rig:
    """A wire, and on demand the server on it."""

    def __init__(self, stack):
        self.wire = stack.enter_context(wire.Wire())
        self.a, self.b, self.server = self.wire.a, self.wire.b, None

    def start(self, tap="", address=None):
        self.server = self.wire.server("a", "--control", f"{self.wire.folder}/a.control", tap=tap,
                                       address=address)

    def streams(self, peer, ours):
        for i, (size, count) in enumerate(STREAMS):
            for pair in ((ours, peer), (peer, ours)):
                got, sent = wire.transfer(*pair, "--verify", "-b", str(size), "-n", str(count),
                                          "--seed", str(i))
                for result in (got, *sent):
                    expect(result["verified"], f"not verified: {result}")

    @staticmethod
    def datagrams(one, other, largest, program=ASK):
        """One asks, the other echoes."""
        echo = other.host.popen([*other.before, sys.executable, "-c", ECHO, other.address],
                                stdout=subprocess.PIPE, text=True)
        try:
            port = echo.stdout.readline().strip()
            done = one.host.run([*one.before, sys.executable, "-c", program, other.address, port,
                                 str(largest)],
                                stdout=-1, stderr=-1, text=True, timeout=60)
            equal(done.returncode, 0, f"exit status ({done.stderr.strip()[-300:]})")
        finally:
            echo.kill()
            echo.communicate()

    def check(self, largest=65507):
        peer, ours = self.wire.linux("b"), self.server.fdsock_endpoint()
        self.streams(peer, ours)
        for pair in ((ours, peer), (peer, ours)) if largest else ():
            self.datagrams(*pair, largest)
        bad = ("net.drop.ip.cksum", "net.drop.tcp.cksum", "net.drop.udp.cksum")
        for name, n in self.server.get(*bad).items():
            equal(n, 0, name)
        libe2e.server_alive(self.server)


@contextlib.contextmanager
def rig():
    with contextlib.ExitStack() as stack:
        yield Rig(stack)


@test("offload on both sides, and on neither, and on either one alone")
def sides():
    for tap in ("", ",offload=off"):
        for peer_plain in (False, True):
            with rig() as r:
                if peer_plain:
                    plain(r.a, "wire")
                    plain(r.b, "wire")
                r.start(tap)
                r.check()


@test("bursts of datagrams, joined on their way to the tap, arrive as they were")
def bursts():
    for peer_plain in (False, True):
        with rig() as r:
            if peer_plain:
                plain(r.a, "wire")
                plain(r.b, "wire")
            r.start()
            for pair in ((r.server.fdsock_endpoint(), r.wire.linux("b")),
                         (r.wire.linux("b"), r.server.fdsock_endpoint())):
                r.datagrams(*pair, 65507, BURSTS)


@test("datagrams that a peer sends several at once (UDP_SEGMENT) cross the tap whole, and arrive as they were")
def several():
    for tap, joined in (("", False), ("", True), (",offload=off", True)):
        with rig() as r:
            r.start(tap)
            ours, echo = r.server.fdsock_endpoint(), None
            try:
                echo = ours.host.popen([*ours.before, sys.executable, "-c", libdatagrams.ECHO_EACH,
                                        ours.address, str(int(joined))],
                                       stdout=subprocess.PIPE, text=True)
                port = echo.stdout.readline().strip()
                libdatagrams.exchange(r.b, r.a, ours.address, port, not tap)
            finally:
                echo.kill()
                said = echo.communicate()[0]
            equal(said, "joined\n" if joined else "", "datagrams that came joined (UDP_GRO)")
            equal(r.server.get("net.drop.if.segments"), {"net.drop.if.segments": 0}, "refused")
            libe2e.server_alive(r.server)


@test("an MTU of 9000, of 1280, of 576, on both sides, with offload and without")
def sizes():
    for size in (9000, 1280, 576):
        for tap in ("", ",offload=off"):
            with rig() as r:
                mtu(r.a, size, "wire", "tap0", "br0")
                mtu(r.b, size, "wire")
                r.start(tap)
                # A hundred fragments and more are too much for a Linux socket's buffer.
                r.check(30000 if size == 576 else 65507)


@test("9000 here and 1500 there: streams keep to the smaller")
def unequal():
    for ours, theirs in ((9000, 1500), (1500, 9000)):
        with rig() as r:
            mtu(r.a, ours, "tap0")
            mtu(r.a, 9000, "wire")
            mtu(r.b, 9000, "wire")
            mtu(r.b, theirs, "wire")
            r.start()
            r.check(largest=0)  # a bridge does not fragment


@test("a router with a narrow way on: it says so, and streams and datagrams keep to it")
def routed():
    for tap in ("", ",offload=off"):
        with rig() as r:
            r.a.ip("link", "set", "tap0", "nomaster")
            r.a.ip("addr", "add", f"{ROUTED}/24", "dev", "tap0")
            r.a.ip("route", "change", "10.73.0.0/24", "dev", "br0", "mtu", "1000")
            r.a.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
            r.b.ip("route", "add", "10.74.0.0/24", "via", wire.LINUX_A)
            r.start(f",gw={ROUTED}{tap}", BEHIND)
            r.check()
            stat = "net.inet.tcp.stats.mturesent"
            expect(r.server.get(stat)[stat] > 0, "no connection was told of the narrow way")


@test("a VLAN of the host's bridge: tagged on the wire, untagged on the tap")
def vlan():
    with rig() as r:
        r.a.ip("link", "set", "wire", "nomaster")
        r.b.ip("addr", "flush", "dev", "wire")
        for host in (r.a, r.b):
            try:
                host.ip("link", "add", "link", "wire", "name", "wire.10", "type", "vlan", "id", "10")
            except wire.Failed as e:
                raise libe2e.Skip(f"no VLANs in this kernel: {e}") from None
        r.a.ip("link", "set", "wire.10", "master", "br0")
        r.a.up("wire.10")
        r.b.ip("addr", "add", f"{wire.LINUX_B}/24", "dev", "wire.10")
        r.b.up("wire.10")
        r.start()
        r.check()


if __name__ == "__main__":
    sys.exit(libe2e.main())
