#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""IPv4 beside TCP, for programs on the stack: ping, raw and ICMP sockets, datagrams, groups.

Each against a Linux peer on the wire.
"""
import contextlib
import os
import re
import subprocess
import sys

import libe2e
import wire
from libe2e import equal, expect, test

LIMIT_S = 40
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
         "text": True}


class Rig:
    def __init__(self, stack):
        self.wire = stack.enter_context(wire.Wire())
        self.control = f"{self.wire.folder}/control.sock"
        self.server = self.wire.server("a", "--control", self.control)
        self.stack = stack

    def on_stack(self, *words, **kw):
        words = [wire.program("rumpus"), "-s", self.control, "run", "--", *words]
        done = self.wire.a.run(words, timeout=LIMIT_S, **{**PIPES, **kw})
        libe2e.server_alive(self.server)
        return done

    def python(self, text, *args, **kw):
        """What a python program on the stack prints."""
        done = self.on_stack(sys.executable, "-c", text, *map(str, args), **kw)
        equal(done.returncode, 0, f"exit status ({done.stderr.strip()})")
        return done.stdout.split()

    def beside_linux(self, linux, text, *args):
        """The same beside a python program of the peer, which says when it is ready."""
        peer = self.wire.b.popen([sys.executable, "-c", linux, *map(str, args)], **PIPES)
        try:
            equal(peer.stdout.readline(), "ready\n", "the peer")
            got = self.python(text, *args)
            return got, peer.communicate(timeout=LIMIT_S)[0].split()
        finally:
            peer.kill()
            peer.communicate()


@contextlib.contextmanager
def rig():
    with contextlib.ExitStack() as stack:
        yield Rig(stack)


@test("ping, unmodified, from the stack: every echo comes back, small, large and in fragments")
def ping():
    with rig() as r:
        for words in (("-s", "56"), ("-s", "1473"), ("-s", "8000", "-M", "dont"), ("-s", "0"),
                      ("-t", "3", "-Q", "16")):
            done = r.on_stack("ping", "-n", "-c", "5", "-i", "0.02", "-W", "2", *words,
                              wire.LINUX_B)
            expect(re.search(r"\b5 received, 0% packet loss", done.stdout),
                   f"ping {words}: {done.stdout}{done.stderr}")
            equal(done.returncode, 0, f"exit status of ping {words}")
            if words != ("-s", "0"):
                expect("ttl=64 time=" in done.stdout, f"times and TTLs: {done.stdout}")
        done = r.on_stack("ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", "1473",
                          wire.LINUX_B)
        expect(done.returncode == 1 and "0 received" in done.stdout,
               f"larger than the MTU with DF: {done.stdout}{done.stderr}")


@test("raw sockets: packets with their header, by IP_HDRINCL too; a protocol of one's own")
def raw():
    linux = """if 1:
        import socket, sys
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
        s.settimeout(20)
        print("ready", flush=True)
        for _ in range(2):
            data, peer = s.recvfrom(2000)
            ihl = (data[0] & 15) * 4
            print(peer[0], data[8], data[ihl:].decode())
        s.sendto(b"back", peer)
    """
    text = """if 1:
        import socket, struct, sys
        linux, me = sys.argv[1:]
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
        print(s.proto, s.type == socket.SOCK_RAW)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 7)
        s.sendto(b"plain", (linux, 0))
        h = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        h.sendto(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 9, 253, 0, bytes(4),
                             socket.inet_aton(linux)) + b"whole", (linux, 0))
        try:
            h.sendto(b"E" + bytes(10), (linux, 0))
            h.send(b"")
        except OSError as e:
            print("refused")
        s.settimeout(20)
        data, peer = s.recvfrom(2000)
        print(data[0] == 0x45, data[9], socket.inet_ntoa(data[12:16]) == linux, data[20:], peer)
    """
    with rig() as r:
        got, peer = r.beside_linux(linux, text, wire.LINUX_B, r.server.address)
        me = r.server.address
        equal(peer, [me, "7", "plain", me, "9", "whole"], "what Linux got")
        equal(got, ["253", "True", "refused", "True", "253", "True", "b'back'",
                    f"('{wire.LINUX_B}',", "0)"], "what the stack got")


@test("raw sockets are the owner's: others get EPERM, and may still ping")
def privilege():
    text = """if 1:
        import errno, os, socket, struct, sys
        os.setgid(12345)
        os.setuid(12345)
        try:
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        except OSError as e:
            print(errno.errorcode[e.errno])
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
        s.settimeout(20)
        s.sendto(struct.pack("!BBHHH", 8, 0, 0, 77, 1) + b"payload", (sys.argv[1], 0))
        data, peer = s.recvfrom(2000)
        t, code, _, ident, seq = struct.unpack("!BBHHH", data[:8])
        print(t, code, ident == s.getsockname()[1], seq, data[8:].decode())
        try:
            s.sendto(struct.pack("!BBHHH", 13, 0, 0, 77, 1), (sys.argv[1], 0))
            s.sendto(struct.pack("!BBHHH", 8, 0, 0, 77, 1), (sys.argv[1], 0))
            s.recvfrom(2000)
        except OSError as e:
            print(errno.errorcode[e.errno])
    """
    with rig() as r:
        os.chmod(r.wire.folder, 0o755)
        os.chmod(r.control, 0o777)
        try:
            os.setgroups([])
        except OSError as e:
            raise libe2e.Skip(f"no other users here: {e.strerror}") from e
        got = r.python(text, wire.LINUX_B)
        equal(got, ["EPERM", "0", "0", "True", "1", "payload", "EINVAL"], "without privilege")


@test("datagrams: TTL, TOS, destination and time, received and sent as control messages")
def control():
    linux = """if 1:
        import socket, sys
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((sys.argv[1], 7007))
        s.settimeout(20)
        for o in (12, 13): # IP_RECVTTL, IP_RECVTOS
            s.setsockopt(socket.IPPROTO_IP, o, 1)
        print("ready", flush=True)
        data, anc, _, peer = s.recvmsg(100, 200)
        print(data.decode(), *sorted(int.from_bytes(a[2], "little") for a in anc))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 33)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x28)
        s.sendto(b"answer", peer)
    """
    text = """if 1:
        import socket, struct, sys, time
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ip = socket.IPPROTO_IP
        for o in (8, 12, 13): # IP_PKTINFO, IP_RECVTTL, IP_RECVTOS
            s.setsockopt(ip, o, 1)
            print(s.getsockopt(ip, o))
        s.setsockopt(socket.SOL_SOCKET, 29, 1) # SO_TIMESTAMP
        s.settimeout(20)
        s.sendmsg([b"asked"], [(ip, socket.IP_TTL, struct.pack("i", 5)),
            (ip, socket.IP_TOS, struct.pack("i", 0x20)),
            (ip, 8, struct.pack("i4s4s", 0, socket.inet_aton(sys.argv[2]), bytes(4)))], 0,
            (sys.argv[1], 7007))
        data, anc, _, peer = s.recvmsg(100, 400)
        print(data.decode())
        for level, kind, value in anc:
            if (level, kind) == (socket.SOL_SOCKET, 29):
                sec, usec = struct.unpack("qq", value)
                print("time", abs(time.time() - sec - usec / 1e6) < 5)
            elif kind == 8:
                index, spec, dst = struct.unpack("i4s4s", value)
                print("to", socket.inet_ntoa(dst) == sys.argv[2], index > 0)
            else:
                print(kind, int.from_bytes(value, "little"))
        print(s.getsockopt(ip, 10), end=" ") # IP_MTU_DISCOVER
        s.connect((sys.argv[1], 7007))
        print(s.getsockopt(ip, 14)) # IP_MTU
    """
    with rig() as r:
        got, peer = r.beside_linux(linux, text, wire.LINUX_B, r.server.address)
        equal(peer, ["asked", "5", "32"], "what Linux got")
        equal(got, "1 1 1 answer time True to True True 2 33 1 40 0 1500".split(),
              "what the stack got")


@test("groups: a member on the stack hears Linux, one on Linux hears the stack")
def groups():
    linux = """if 1:
        import socket, sys
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ip, me = socket.IPPROTO_IP, socket.inet_aton(sys.argv[1])
        s.bind(("", 7009))
        s.setsockopt(ip, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.1.1") + me)
        s.setsockopt(ip, socket.IP_MULTICAST_IF, me)
        s.settimeout(20)
        print("ready", flush=True)
        for i in range(2):
            data, peer = s.recvfrom(100)
            print(data.decode(), peer[0])
            for group in "239.1.1.3", "239.1.1.2":
                s.sendto(group.encode(), (group, 7008))
        print(s.recv(100).decode())
        s.sendto(b"left", ("239.1.1.2", 7008))
        s.sendto(b"end", peer)
    """
    text = """if 1:
        import socket, struct, sys
        ip, me = socket.IPPROTO_IP, socket.inet_aton(sys.argv[2])
        index = [i for i, name in socket.if_nameindex() if not name.startswith("lo")][0]
        group = socket.inet_aton("239.1.1.2")
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("", 7008))
        s.settimeout(20)
        s.setsockopt(ip, socket.IP_MULTICAST_IF, me)
        for mreq in group + me, group + bytes(4) + struct.pack("i", index):
            s.setsockopt(ip, socket.IP_ADD_MEMBERSHIP, mreq)
            s.sendto(b"hello", ("239.1.1.1", 7009))
            print(*s.recvfrom(100))
            s.setsockopt(ip, socket.IP_DROP_MEMBERSHIP, mreq)
        s.sendto(b"bye", ("239.1.1.1", 7009))
        print(s.recv(100).decode())
    """
    with rig() as r:
        me = r.server.address
        got, peer = r.beside_linux(linux, text, wire.LINUX_B, me)
        equal(peer, ["hello", me, "hello", me, "bye"], "what Linux got")
        equal(got, ["b'239.1.1.2'", f"('{wire.LINUX_B}',", "7009)"] * 2 + ["end"],
              "what the stack got")


@test("IGMP: a Linux beside the stack sees what it tells of its groups, and filters keep Linux out")
def igmp():
    linux = """if 1:
        import socket, struct, sys
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
        ip, me, stack = socket.IPPROTO_IP, socket.inet_aton(sys.argv[1]), sys.argv[2]
        s.setsockopt(ip, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.22") + me)
        s.settimeout(20)
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind(("", 7019))
        u.setsockopt(ip, socket.IP_MULTICAST_IF, me)
        u.settimeout(20)
        def told(kinds):
            while True:
                p, peer = s.recvfrom(2000)
                p = p[(p[0] & 15) * 4:]
                if peer[0] != stack or p[0] != 0x22:
                    continue
                kind, _, n = struct.unpack("!BBH", p[8:12])
                if socket.inet_ntoa(p[12:16]) == "239.1.1.9" and kind in kinds:
                    return [kind] + [socket.inet_ntoa(p[16 + 4 * i:20 + 4 * i]) for i in range(n)]
        print("ready", flush=True)
        for kinds in (4,), (6,), (5,), (3,):
            data, peer = u.recvfrom(100)
            print(*told(kinds))
            u.sendto(b"group", ("239.1.1.9", 7018))
            u.sendto(b"next", peer)
    """
    text = """if 1:
        import socket, sys
        ip, linux, me = socket.IPPROTO_IP, *map(socket.inet_aton, sys.argv[1:3])
        group = socket.inet_aton("239.1.1.9")
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("", 7018))
        s.settimeout(20)
        block, unblock = 38, 37  # IP_BLOCK_SOURCE, IP_UNBLOCK_SOURCE
        for name, value in ((socket.IP_ADD_MEMBERSHIP, group + me), (block, group + me + linux),
                            (unblock, group + me + linux),
                            (socket.IP_DROP_MEMBERSHIP, group + me)):
            s.setsockopt(ip, name, value)
            s.sendto(b"done", (sys.argv[1], 7019))
            while True:
                data = s.recv(100).decode()
                print(data)
                if data == "next":
                    break
    """
    with rig() as r:
        got, peer = r.beside_linux(linux, text, wire.LINUX_B, r.server.address)
        blocked = wire.LINUX_B
        equal(peer, ["4", "6", blocked, "5", blocked, "3"], "what Linux was told")
        equal(got, ["group", "next", "next", "group", "next", "next"], "what the stack got")


if __name__ == "__main__":
    sys.exit(libe2e.main())
