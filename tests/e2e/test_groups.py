#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Groups on a bridge that snoops and queries: the stack is a port like any Linux.

Host a's bridge has three ports: the stack's tap, and two Linux peers. It learns from what members tell
where a group's packets go, and forgets a port that does not answer its queries. Its times are shortened.
"""
import json
import shutil
import subprocess
import sys
import time

import libe2e
import wire
from libe2e import Skip, equal, expect, test

PEER_C = "10.73.0.7"
GROUP, GROUP6 = "239.1.1.9", "ff15::109"
PORT = 7020
MEMBERSHIP_S = 10  # that long a port is remembered without a report; a query comes every 2 s
TIMES = ("mcast_query_interval 200 mcast_query_response_interval 100 mcast_membership_interval "
         f"{MEMBERSHIP_S}00 mcast_startup_query_interval 100 mcast_startup_query_count 3 "
         "mcast_last_member_interval 20 mcast_last_member_count 2")

# An unmodified program: joins and leaves as it is told, and says what it hears.
MEMBER = """
import socket, struct, sys
group, me, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
six = ":" in group
index = [i for i, name in socket.if_nameindex() if not name.startswith("lo")][0]
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", port))
s.settimeout(20)
if six:
    level = socket.IPPROTO_IPV6
    mreq = socket.inet_pton(socket.AF_INET6, group) + struct.pack("I", index)
    names = {"join": socket.IPV6_JOIN_GROUP, "leave": socket.IPV6_LEAVE_GROUP}
else:
    level, mreq = socket.IPPROTO_IP, socket.inet_aton(group) + socket.inet_aton(me)
    names = {"join": socket.IP_ADD_MEMBERSHIP, "leave": socket.IP_DROP_MEMBERSHIP}
print("listening", me, port, flush=True)
for line in sys.stdin:
    word, *more = line.split()
    if word == "hear":
        print(s.recv(100).decode(), flush=True)
    elif word in ("source", "unsource"):  # IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP
        s.setsockopt(level, 39 if word == "source" else 40, mreq + socket.inet_aton(more[0]))
        print(word, flush=True)
    else:
        s.setsockopt(level, names[word], mreq)
        print(word, flush=True)
"""

# A peer: sends, and tells what frames it was sent, whoever they were for.
PEER = """
import socket, struct, sys
port, index = int(sys.argv[1]), socket.if_nametoindex("wire")
frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
frames.bind(("wire", 0))
frames.setsockopt(263, 1, struct.pack("iHH8s", index, 1, 0, bytes(8)))  # promiscuous
frames.settimeout(20)
print("listening", "wire", port, flush=True)
def frame():
    while True:
        data, where = frames.recvfrom(2000)
        if where[2] != socket.PACKET_OUTGOING:
            return data
def is_query(data, six):
    if six:  # behind a header of options
        return data[12:14].hex() == "86dd" and data[20] == 0 and data[62] == 130
    return data[12:14].hex() == "0800" and data[23] == 2 and data[14 + (data[14] & 15) * 4] == 0x11
for line in sys.stdin:
    word, *more = line.split()
    if word == "send":
        to, text = more
        six = ":" in to
        u = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        if six:
            u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        else:
            u.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("III", 0, 0, index))
        u.sendto(text.encode(), (to, port))
        print("sent", flush=True)
    elif word == "queries":  # waits for so many
        for _ in range(int(more[1])):
            while not is_query(frame(), more[0] == "6"):
                pass
        print(*more, flush=True)
    else:  # frames that have this text, before the one that has the mark
        text, mark = (m.encode() for m in more)
        n, data = 0, frame()
        while mark not in data:
            n += text in data
            data = frame()
        print(n, flush=True)
"""


class Talk:
    """A program that is told lines, and answers each by one."""

    def __init__(self, process):
        self.process = process
        wire.listening(process)

    def __call__(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        expect(answer, f"{words}: no answer, {self.process.poll()}")
        return answer

    def close(self):
        self.process.kill()
        self.process.communicate()


class Rig(wire.Wire):
    """The wire with a third peer, and a bridge that snoops and queries."""

    def __init__(self, *versions):
        super().__init__()
        self.talks = []
        self.c = self._host("c")
        wire.ip("link", "add", "wire2", "netns", self.a.name, "type", "veth", "peer", "name", "wire",
                "netns", self.c.name)
        self.a.ip("link", "set", "wire2", "master", "br0")
        self.a.up("wire2")
        self.c.up("wire")
        self.c.ip("addr", "add", f"{PEER_C}/24", "dev", "wire")
        for host, interface, n in (self.a, "br0", 2), (self.b, "wire", 3), (self.c, "wire", 7):
            host.ip("addr", "add", f"fe80::{n}/64", "dev", interface, "nodad")
        control = f"{self.folder}/control.sock"
        self.stack = self.server("a", "--control", control, "-o", "net.inet6.ip6.dad_count=0",
                                 tap=",addr=fd00:73::1/64")
        self.run = [wire.program("rumpus"), "-s", control, "run", "--"]
        self.peers = [self.talk(h, [sys.executable, "-c", PEER, str(PORT)])
                      for h in (self.b, self.c)]
        self.bridge(*TIMES.split(), *versions)

    def bridge(self, *words):
        self.a.ip("link", "set", "br0", "type", "bridge", *words)

    def snoop(self, group):
        """From now on; returns when the bridge has asked so often that it goes by the answers."""
        self.bridge("mcast_snooping", "1", "mcast_querier", "1")
        info = json.loads(self.a.ip("-d", "-j", "link", "show", "br0"))[0]["linkinfo"]["info_data"]
        if shutil.which("bridge") is None or info.get("mcast_querier") != 1:
            raise Skip("no bridge here that snoops and queries")
        for peer in self.peers:
            peer("queries", 6 if ":" in group else 4, 3)

    def talk(self, host, argv):
        self.talks.append(Talk(host.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE, text=True)))
        return self.talks[-1]

    def member(self, group):
        return self.talk(self.a, [*self.run, sys.executable, "-c", MEMBER, group,
                                  wire.STACK_A, str(PORT)])

    def entry(self, group, port="tap0"):
        """What the bridge knows of the group at that port, or None."""
        done = self.a.run(["bridge", "-j", "-d", "-s", "mdb", "show", "dev", "br0"],
                          stdout=subprocess.PIPE, text=True)
        return next((e for part in json.loads(done.stdout or "[]") for e in part.get("mdb", ())
                     if (e["grp"], e["port"]) == (group, port) and "src" not in e), None)

    def joined(self, group):
        expect(wire.wait_until(lambda: self.entry(group)), "the bridge was told nothing")

    def left(self, group):
        """Sooner than it would forget."""
        expect(wire.wait_until(lambda: not self.entry(group), MEMBERSHIP_S / 2), "it stays")

    def kept(self, group):
        """For longer than without answers to queries, of which there are several."""
        end, before, renewed = time.monotonic() + MEMBERSHIP_S + 1, 0.0, 0

        def over():
            nonlocal before, renewed
            now = self.entry(group)
            expect(now, f"it was forgotten, renewed {renewed} times")
            renewed += float(now["timer"]) > before
            before = float(now["timer"])
            return time.monotonic() > end and renewed >= 3
        expect(wire.wait_until(over, 4 * MEMBERSHIP_S, 0.1), f"renewed {renewed} times")

    def flooded(self, group, text):
        """Peer b sends to the group. Returns how often peer c, who never joins, was sent it."""
        b, c = self.peers
        b("send", group, text)
        b("send", PEER_C, f"after-{text}")
        return int(c("frames", text, f"after-{text}"))

    def __exit__(self, kind, *rest):
        for talk in self.talks:
            talk.close()
        super().__exit__(kind, *rest)


def life(r, group):
    """A member's, from before it joins until after it has left."""
    b, _ = r.peers
    member = r.member(group)
    equal(r.flooded(group, "early"), 1, "frames that peer c got of a bridge that does not snoop")
    r.snoop(group)
    expect(r.entry(group) is None, "an entry before the join")
    member("join")
    r.joined(group)
    equal(r.flooded(group, "first"), 0, "frames of the group that peer c got")
    equal(member("hear"), "first", "what the member got")
    r.kept(group)
    equal(r.flooded(group, "later"), 0, "frames of the group that peer c got")
    equal(member("hear"), "later", "what the member got")
    member("leave")
    r.left(group)
    b("send", group, "late")
    b("send", wire.STACK_A, "direct")
    if ":" not in group:
        equal(member("hear"), "direct", "what it got that is no member any more")


@test("IGMPv3: the bridge learns of a member of the stack, asks it, and forgets it when it leaves")
def igmp3():
    with Rig("mcast_igmp_version", "3") as r:
        life(r, GROUP)
        equal(r.stack.get("net.inet.igmp.stats.snd_leaves"), {"net.inet.igmp.stats.snd_leaves": 0},
              "leaves of version 2")


@test("IGMPv2: the same with a bridge of that version")
def igmp2():
    with Rig("mcast_igmp_version", "2") as r:
        life(r, GROUP)
        expect(r.stack.get("net.inet.igmp.stats.snd_leaves")["net.inet.igmp.stats.snd_leaves"] > 0,
               "no leave was sent")


@test("MLDv2: the same with a group of IPv6")
def mld2():
    with Rig("mcast_mld_version", "2") as r:
        life(r, GROUP6)


@test("IGMPv3: the bridge learns from whom a member wants to hear")
def sources():
    with Rig("mcast_igmp_version", "3") as r:
        r.snoop(GROUP)
        member = r.member(GROUP)
        member("source", wire.LINUX_B)
        r.joined(GROUP)
        entry = r.entry(GROUP)
        equal(entry["filter_mode"], "include", "the entry's mode")
        equal([s["address"] for s in entry["source_list"]], [wire.LINUX_B], "its sources")
        equal(r.flooded(GROUP, "wanted"), 0, "frames of the group that peer c got")
        equal(member("hear"), "wanted", "what the member got")
        member("unsource", wire.LINUX_B)
        r.left(GROUP)


if __name__ == "__main__":
    sys.exit(libe2e.main())
