#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# server: tsan
"""A server of several threads is one host: what comes to the wrong one of them is not lost."""
import os
import signal
import socket
import sys

import libe2e
import wire
from libe2e import equal, expect, test

THREADS = 2
CONNECTIONS = 64

# An echo server that asks each connection for what needs the server: those of all threads answer.
ECHO = """
import selectors, socket, sys
listener = socket.socket()
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
listener.setsockopt(socket.IPPROTO_TCP, 36, 1)  # TCP_INQ, which the descriptor's own end knows
listener.bind((sys.argv[1], 0))
listener.listen(100)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
datagrams = socket.socket(type=socket.SOCK_DGRAM)
datagrams.bind((sys.argv[1], 0))
print("listening", sys.argv[1], listener.getsockname()[1], flush=True)
print(datagrams.getsockname()[1], flush=True)
ready = selectors.DefaultSelector()
ready.register(listener, selectors.EVENT_READ)
ready.register(datagrams, selectors.EVENT_READ)
while True:
    for key, _ in ready.select():
        sock = key.fileobj
        if sock is listener:
            one, peer = listener.accept()
            assert one.getpeername() == peer, (one.getpeername(), peer)
            assert one.getsockname()[1] == listener.getsockname()[1]
            assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            ready.register(one, selectors.EVENT_READ)
        elif sock is datagrams:
            datagrams.sendto(*datagrams.recvfrom(2000))
        else:
            data = sock.recv(65536)
            if data:
                sock.sendall(data)
            else:
                ready.unregister(sock)
                sock.close()
"""

# Every connection at once, then data on each, then datagrams from as many ports.
CALLS = """
import socket, sys
host, port, dgport, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
socks = [socket.create_connection((host, port), timeout=20) for _ in range(n)]
for i, sock in enumerate(socks):
    sock.sendall(bytes([i % 251]) * 5000)
for i, sock in enumerate(socks):
    data = b""
    while len(data) < 5000:
        data += sock.recv(5000)
    assert data == bytes([i % 251]) * 5000
    sock.close()
socks = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(n)]
for i, sock in enumerate(socks):
    sock.settimeout(20)
    sock.sendto(b"%d" % i, (host, dgport))
    assert sock.recvfrom(100) == (b"%d" % i, (host, dgport))
try:
    socket.create_connection((host, 1), timeout=20)
except ConnectionRefusedError:
    print("done")
"""


# A member of a group: says the datagrams that it is told to wait for, in order, and leaves when told.
MEMBER = """
import socket, sys
mreq = socket.inet_aton("239.1.1.7") + socket.inet_aton(sys.argv[1])
s = socket.socket(type=socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.setsockopt(socket.IPPROTO_IP, 49, 0)  # IP_MULTICAST_ALL: not what others have joined
s.bind(("", 7031))
s.settimeout(20)
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreq)
print("joined", flush=True)
for line in sys.stdin:
    if line == "leave\\n":
        s.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, mreq)
        print("left", flush=True)
    else:
        print(*sorted(s.recv(100).decode() for _ in range(int(line))), flush=True)
"""

# Sends to the group from as many ports.
SAYS = """
import socket, sys
socks = [socket.socket(type=socket.SOCK_DGRAM) for _ in sys.argv[2:]]
for sock, text in zip(socks, sys.argv[2:]):
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
    sock.sendto(text.encode(), ("239.1.1.7", 7031))
"""

# Counts what is told to routers of the group, version 2, until a mark comes.
ROUTER = """
import select, socket, sys
me, stack = map(socket.inet_aton, sys.argv[1:3])
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
for group in "224.0.0.2", "239.1.1.7":
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + me)
u = socket.socket(type=socket.SOCK_DGRAM)
u.bind(("", 7032))
print("ready", flush=True)
kinds = []
while u not in (ready := select.select([s, u], [], [], 20)[0]) or s in ready:
    if not ready:
        raise SystemExit("no mark came")
    p = s.recv(2000)
    if p[12:16] == stack and socket.inet_aton("239.1.1.7") in p[20:]:
        kinds.append(p[(p[0] & 15) * 4])
print(*(kinds.count(k) for k in (0x16, 0x17)))
"""

MARK = """
import socket, sys
socket.socket(type=socket.SOCK_DGRAM).sendto(b"mark", (sys.argv[1], 7032))
"""


def start(w, *args):
    control = f"{w.folder}/control.sock"
    server = w.server("a", "--control", control, "--threads", str(THREADS), *args)
    return server, [wire.program("rumpus"), "-s", control, "run", "--"]


def threaded():
    return wire.Wire(kind=("multi_queue",))


@test("connections and datagrams of every thread are served, and their sockets known")
def spread():
    with threaded() as w:
        server, run = start(w)
        echo = w.a.popen([*run, sys.executable, "-c", ECHO, wire.STACK_A], stdout=-1, text=True)
        try:
            port, dgport = wire.listening(echo), echo.stdout.readline().strip()
            for _ in range(2):
                done = w.b.run([sys.executable, "-c", CALLS, wire.STACK_A, port, dgport,
                                str(CONNECTIONS)], stdout=-1, stderr=-2, text=True, timeout=60)
                equal(done.stdout, "done\n", "what the peer says")
            name = "fdsock.stats.accepted"
            first = server.get(name)[name]
            expect(0 < first < 2 * CONNECTIONS, f"the first thread had {first} connections")
            expect(echo.poll() is None, "the echo server died")
        finally:
            echo.kill()
            echo.communicate()
        equal(w.b.run(["ping", "-q", "-c", "20", "-i", "0.01", wire.STACK_A], stdout=-3).returncode,
              0, "exit status of ping")


@test("handshakes of which only a cookie tells are every thread's own")
def cookies():
    with threaded() as w:
        server, run = start(w, "-o", "net.inet.tcp.syncookies_only=1")
        echo = w.a.popen([*run, sys.executable, "-c", ECHO, wire.STACK_A], stdout=-1, text=True)
        try:
            port, dgport = wire.listening(echo), echo.stdout.readline().strip()
            done = w.b.run([sys.executable, "-c", CALLS, wire.STACK_A, port, dgport,
                            str(CONNECTIONS)], stdout=-1, stderr=-2, text=True, timeout=60)
            equal(done.stdout, "done\n", "what the peer says")
            name = "net.inet.tcp.stats.sc_recvcookie"
            first = server.get(name)[name]
            expect(0 < first < CONNECTIONS, f"the first thread took {first} cookies")
        finally:
            echo.kill()
            echo.communicate()


@test("streams in both directions, over connections made either way, are byte-exact")
def exact():
    with threaded() as w:
        _, run = start(w)
        stack = wire.Endpoint(wire.STACK_A, w.a, "", {}, run)
        for one, other in ((stack, w.linux("b")), (w.linux("b"), stack)):
            got, sent = wire.transfer(one, other, "--verify", "-b", "65536", "-n", str(4 << 20),
                                      "--seed", "7", count=8)
            for result in (got, *sent):
                expect(result["verified"], f"not verified: {result}")


def say(member, word):
    member.stdin.write(f"{word}\n")
    member.stdin.flush()
    return member.stdout.readline().strip()


@test("groups: members hear each datagram once, of the host or the wire; routers are told the union")
def groups():
    python, pipes = [sys.executable, "-c"], {"stdin": -1, "stdout": -1, "text": True}
    with threaded() as w:
        server, run = start(w, "-o", "net.inet.igmp.default_version=2")
        router = w.b.popen([*python, ROUTER, wire.LINUX_B, wire.STACK_A], stdout=-1, text=True)
        members = [w.a.popen([*run, *python, MEMBER, wire.STACK_A], **pipes) for _ in range(3)]

        def hear(who, host, before, address, prefix):
            texts = [f"{prefix}{i:02}" for i in range(CONNECTIONS)]
            equal(host.run([*before, *python, SAYS, address, *texts]).returncode, 0, "exit status")
            for member in who:
                equal(say(member, len(texts)), " ".join(sorted(texts)), "what a member hears")
        try:
            equal(router.stdout.readline(), "ready\n", "what the router says")
            for member in members:
                equal(member.stdout.readline(), "joined\n", "what a member says")
            hear(members, w.a, run, wire.STACK_A, "own")
            hear(members, w.b, [], wire.LINUX_B, "wire")
            for n in 1, 2, 3:
                equal(say(members[n - 1], "leave"), "left", "what a member says")
                hear(members[n:], w.a, run, wire.STACK_A, f"own{n}")
                hear(members[n:], w.b, [], wire.LINUX_B, f"wire{n}")
            equal(w.a.run([*run, *python, MARK, wire.LINUX_B]).returncode, 0, "exit status")
            out = router.communicate(timeout=30)[0].split()
            expect(out and out[0] in ("1", "2") and out[1] == "1",
                   f"reports and leaves that the router saw: {out}")
        finally:
            for process in (router, *members):
                process.kill()
                process.communicate()
        expect(server.alive(), f"the server died{server.state()}")


@test("it ends by a signal, with status 0, while its threads are busy")
def ends():
    with threaded() as w:
        server, run = start(w)
        stack = wire.Endpoint(wire.STACK_A, w.a, "", {}, run)
        out = stack.popen("writeserver", "-a", stack.address, "-p", "0", "-c", "4", stdout=-1,
                          stderr=-1)
        into = w.linux("b").popen("readclient", "-a", stack.address, "-p", wire.listening(out),
                                  "-c", "4", "-b", "64k", "-n", "100g", stdout=-1, stderr=-1)
        before = server.cpu_s()
        expect(wire.wait_until(lambda: server.cpu_s() > before + 0.3), "nothing moves")
        server.process.send_signal(signal.SIGTERM)
        equal(server.process.wait(20), 0, "exit status")
        for process in (out, into):
            process.wait(30)
            process.communicate()
        expect(not os.path.exists(f"{w.folder}/control.sock"), "the control socket is left")


@test("a tap that was made for one queue is refused, and why is said")
def refused():
    with wire.Wire() as w:
        try:
            start(w)
        except wire.Failed as e:
            expect("multi_queue" in str(e) and "try:" in str(e), f"unclear: {e}")
        else:
            raise AssertionError("it started")


if __name__ == "__main__":
    sys.exit(libe2e.main())
