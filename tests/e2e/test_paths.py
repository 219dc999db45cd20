#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 120
"""Errors of the way to a peer as programs made for Linux take them (IP_RECVERR): traceroute, tracepath
and ping, unmodified, on the stack, with a Linux router between it and a Linux host.

    stack 10.73.0.1 --- 10.73.0.3 router 10.74.0.1 --- 10.74.0.2 far, over a link of a smaller MTU
"""
import contextlib
import re
import shutil
import subprocess
import sys

import libe2e
import wire
from libe2e import Skip, equal, expect, test

FAR, ROUTER_FAR, NOBODY, SILENT = "10.74.0.2", "10.74.0.1", "10.74.0.77", "10.73.0.77"
MTU = 1400
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
         "text": True}


class Path:
    def __init__(self, stack):
        self.wire = stack.enter_context(wire.Wire())
        router, self.far = self.wire.b, wire.Host(f"rumpus-{self.wire.tag}-far")
        stack.callback(self.far.remove)
        wire.ip("link", "add", "beyond", "netns", router.name, "type", "veth", "peer", "name",
                "beyond", "netns", self.far.name)
        for host, address in ((router, ROUTER_FAR), (self.far, FAR)):
            host.up("beyond")
            host.ip("link", "set", "beyond", "mtu", str(MTU))
            host.ip("addr", "add", f"{address}/24", "dev", "beyond")
        self.far.ip("route", "add", "default", "via", ROUTER_FAR)
        for text in ("1 >/proc/sys/net/ipv4/ip_forward", "0 >/proc/sys/net/ipv4/icmp_ratelimit",
                     "50000 >/proc/sys/net/ipv4/icmp_msgs_per_sec"):
            router.run(["sh", "-c", f"echo {text}"], stderr=subprocess.DEVNULL)
        self.far.run(["sh", "-c", "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit"])
        self.control = f"{self.wire.folder}/control.sock"
        self.server = self.wire.server("a", "--control", self.control,
                                       tap=f",gw={wire.LINUX_B}")

    def on_stack(self, *words):
        run = [wire.program("rumpus"), "-s", self.control, "run", "--", *words]
        done = self.wire.a.run(run, timeout=40, **PIPES)
        libe2e.server_alive(self.server)
        return done


def path_test(name, tool):
    def add(function):
        @test(name)
        def run():
            if shutil.which(tool) is None:
                raise Skip(f"{tool} is not installed")
            with contextlib.ExitStack() as stack:
                function(Path(stack))
        return run
    return add


def hops(done):
    """The addresses that a traceroute prints, one a hop."""
    equal((done.returncode, done.stderr), (0, ""), "exit status, complaints")
    return re.findall(r"^ *\d+ +([\d.]+|\*)", done.stdout, re.M)


@path_test("traceroute by UDP and by ICMP shows the router and the host behind it", "traceroute")
def traceroute(path):
    for how in ([], ["-I"]):
        done = path.on_stack("traceroute", "-n", "-m", "5", "-q", "2", "-w", "2", *how, FAR)
        equal(hops(done), [wire.LINUX_B, FAR], f"hops of traceroute {how} ({done.stdout})")
        expect("*" not in done.stdout, f"a probe without its answer: {done.stdout}")


@path_test("tracepath finds the router, the host, and the smallest MTU between", "tracepath")
def tracepath(path):
    done = path.on_stack("tracepath", "-n", "-m", "5", FAR)
    equal((done.returncode, done.stderr), (0, ""), "exit status, complaints")
    expect(re.search(rf"Resume: pmtu {MTU} hops 2 back 2", done.stdout), done.stdout)
    for text in ("pmtu 1500", wire.LINUX_B, FAR, "reached"):
        expect(text in done.stdout, f"no {text}: {done.stdout}")


@path_test("ping tells of a host that is not there, and of a packet too long for the way", "ping")
def ping(path):
    done = path.on_stack("ping", "-n", "-c", "2", "-W", "6", NOBODY)
    equal(done.returncode, 1, "exit status")
    expect(f"From {wire.LINUX_B} icmp_seq=1 Destination Host Unreachable" in done.stdout, done.stdout)
    done = path.on_stack("ping", "-n", "-c", "1", "-W", "6", SILENT)
    equal(done.returncode, 1, "exit status")
    expect(f"From {wire.STACK_A} icmp_seq=1 Destination Host Unreachable" in done.stdout, done.stdout)
    done = path.on_stack("ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", "1450", FAR)
    expect(re.search(rf"From {wire.LINUX_B} icmp_seq=1 Frag needed and DF set \(mtu = {MTU}\)",
                     done.stdout), done.stdout + done.stderr)
    done = path.on_stack("ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", "1472",
                         wire.LINUX_B)
    equal(done.returncode, 0, f"exit status ({done.stdout})")


QUEUE = """
import select, socket, struct, sys
IP_RECVERR, MSG_ERRQUEUE = 11, 0x2000
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
assert s.getsockopt(socket.IPPROTO_IP, IP_RECVERR) == 1
p = select.poll(); p.register(s, select.POLLIN)
for text in (b"one", b"two"):
    s.sendto(text, (sys.argv[1], 9))
    print(*[r & ~select.POLLOUT for _, r in p.poll(5000)], end=" ")
    data, control, flags, to = s.recvmsg(100, 200, MSG_ERRQUEUE)
    (level, kind, value), = control
    print(data.decode(), flags == MSG_ERRQUEUE, *to, level, kind, *struct.unpack("=IBBBxII", value[:16]),
          socket.inet_ntoa(value[20:24]), len(p.poll(0)))
for flags in (MSG_ERRQUEUE, socket.MSG_DONTWAIT):
    try: s.recvmsg(100, 200, flags); print("something")
    except OSError as e: print(e.errno)
s.sendto(b"x", (sys.argv[1], 9))
try: s.recv(100)
except OSError as e: print(e.errno, s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
print(s.recvmsg(100, 0, MSG_ERRQUEUE)[2] & ~socket.MSG_CTRUNC == MSG_ERRQUEUE)
"""


@test("a program sees the same of its queue of errors as on Linux")
def queue():
    with contextlib.ExitStack() as stack:
        path = Path(stack)
        words = [sys.executable, "-c", QUEUE, FAR]
        path.wire.a.ip("route", "add", "default", "via", wire.LINUX_B)
        path.wire.b.ip("route", "add", f"{wire.LINUX_A}/32", "dev", "wire")
        native = path.wire.a.run(words, timeout=40, **PIPES)
        equal((native.returncode, native.stderr), (0, ""), "natively")
        done = path.on_stack(*words)
        equal((done.returncode, done.stderr), (0, ""), "on the stack")
        equal(done.stdout, native.stdout, "what it saw")


if __name__ == "__main__":
    sys.exit(libe2e.main())
