#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 240
"""What clients do to the server: many, killed, stalled, and those that do not keep to the protocol."""
import concurrent.futures
import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys

import libe2e
import libsysproxy as sp
import wire
from libe2e import equal, expect, test

PIPE, NONE = subprocess.PIPE, subprocess.DEVNULL
GETPID, CLOSE, WRITE, READ, ACCEPT = 20, 6, 4, 3, 30
GETSOCKNAME, CONNECT, BIND, LISTEN, SOCKET = 32, 98, 104, 106, 394
NONBLOCK = 0x20000000
AGAIN = 35
MALFORMED = "sysproxy.stats.malformed"


@contextlib.contextmanager
def stack(*options):
    """A server that is alive and as empty as before in the end."""
    with wire.Wire() as w:
        server = w.server("a", *options)
        before = libe2e.baseline(server, w.b)
        yield w, server
        libe2e.server_alive(server)
        libe2e.settled(server, before)


def speaker(server, guest=True):
    return sp.Speaker(server.url, guest)


# --- many, and killed ---------------------------------------------------------------------------

@test("two clients at once, one sending and one receiving: both byte-exact")
def two():
    with stack() as (w, server), concurrent.futures.ThreadPoolExecutor(2) as pool:
        peer, options = w.linux("b"), ("--verify", "-n", "4m", "-b", "100k")
        jobs = [pool.submit(wire.transfer, server.endpoint, peer, *options),
                pool.submit(wire.transfer, peer, server.endpoint, *options)]
        for job in jobs:
            expect(job.result()[0]["verified"], "not verified")


@test("a hundred connections, one after the other, accepted and made")
def hundred():
    with stack() as (w, server):
        for ends in ((server.endpoint, w.linux("b")), (w.linux("b"), server.endpoint)):
            got, sent = wire.transfer(*ends, "-n", "100000", "-b", "8k", count=100)
            equal((got["connections"], got["bytes"], len(sent)), (100, 10_000_000, 100), "totals")


def moved(server, name, least):
    return wire.wait_until(lambda: server.get(name)[name] >= least, 20)


def kill_one(sender, reader, victim, server, counter):
    """SIGKILLs sender (0) or reader (1) when a MiB has moved."""
    out = sender.popen("writeserver", "-a", sender.address, "-p", "0", stdout=PIPE, stderr=PIPE)
    into = None
    try:
        into = reader.popen("readclient", "-a", sender.address, "-p", wire.listening(out), "-t",
                            "60", stdout=PIPE, stderr=PIPE)
        start = server.get(counter)[counter]
        expect(moved(server, counter, start + (1 << 20)), "nothing moves")
        ends = (out, into)
        ends[victim].kill()
        ends[1 - victim].communicate(timeout=20)
        if victim == 0:
            equal(into.returncode, 1, "exit status of a reader whose server was killed")
        else:
            equal(out.returncode, 0, "exit status of a server whose reader went away")
    finally:
        for process in (out, into):
            if process is not None:
                process.kill()
                process.communicate()


# HOSTILE 79
@test("a sending client that is killed in mid-transfer leaves nothing, and its peer is told")
def kill_sender():
    with stack() as (w, server):
        for mclnum, vm in ((1, 0), (16, 0), (16, 1)):
            server.set(kern__mbuf__mclnum=mclnum, sysproxy__vmcopy=vm)
            kill_one(server.endpoint, w.linux("b"), 0, server, "kern.copy.sosend_copyin_bytes")
            equal(wire.transfer(server.endpoint, w.linux("b"), "-n", "1m")[0]["bytes"], 1 << 20,
                  "the next one's bytes")


@test("a receiving client that is killed in mid-transfer leaves nothing, and its peer is told")
def kill_reader():
    with stack() as (w, server):
        for vm in (0, 1):
            server.set(sysproxy__vmcopy=vm)
            kill_one(w.linux("b"), server.endpoint, 1, server, "kern.copy.soreceive_copyout_bytes")
            equal(wire.transfer(w.linux("b"), server.endpoint, "-n", "1m")[0]["bytes"], 1 << 20,
                  "the next one's bytes")


SINK = """
import socket
s = socket.socket()
s.bind(("10.73.0.3", 7000))
s.listen()
print("ready", flush=True)
c = s.accept()[0]
while c.recv(65536):
    pass
"""


def stall_in_copyin(url, tell):
    """In a process of its own: asked for the bytes of a write, it never answers."""
    with sp.Speaker(url) as s:
        s.memory[4096] = sp.sockaddr(wire.LINUX_B, 7000)
        _, fd, _ = s.call(SOCKET, 2, 1, 0)
        error, _, _ = s.call(CONNECT, fd, 4096, 16)
        s.start(WRITE, fd, 65536, 1 << 20)
        asked = s.receive()
        os.write(tell, b"ok" if (error, asked.kind, asked.type) == (0, 0, sp.COPYIN) else b"no")
        signal.pause()


@test("a client that stalls in the middle of a copy-in hinders nobody; killed, it leaves nothing")
def kill_in_copyin():
    with stack() as (w, server):
        sink = w.b.popen([sys.executable, "-c", SINK], stdout=PIPE)
        sink.stdout.readline()
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                stall_in_copyin(server.url, tell)
            finally:
                os._exit(1)
        try:
            os.close(tell)
            equal(os.read(told, 2), b"ok", "the client's way into the copy-in")
            got, _ = wire.transfer(server.endpoint, w.linux("b"), "--verify", "-n", "1m")
            expect(got["verified"], "another client meanwhile")
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(told)
        equal(sink.wait(20), 0, "the peer's exit status: its connection has to end")
        sink.stdout.close()


@test("a client that is killed while it waits in accept() and in read() leaves nothing")
def kill_waiting():
    with stack() as (w, server):
        for _ in range(5):
            writer = server.endpoint.popen("writeserver", "-p", "0", stdout=PIPE, stderr=PIPE)
            port = wire.listening(writer)
            peer = w.b.popen(["nc", "-d", server.address, port], stdin=NONE, stdout=NONE,
                             stderr=NONE)
            held = wire.wait_until(lambda: libe2e.held(server)["sockets"] == 2, 10)
            writer.kill()
            writer.communicate()
            equal((held, peer.wait(20)), (True, 0), "accepted; nc's exit status")


# --- the protocol, spoken by hand ---------------------------------------------------------------

@test("as seen with the original: banner, guest handshake, getpid, close, socket")
def seen_simple():
    with stack() as (_, server), speaker(server, guest=False) as s:
        expect(s.banner.startswith(b"RUMPSP-0.4-NetBSD-") and len(s.banner) <= 96, s.banner)
        equal(s.guest().raw.hex(), "1c00000000000000" + "00" * 8 + "01000000" + "00000000"
              + "00000000", "answer to the handshake")
        s.start(GETPID)
        raw = s.receive().raw
        equal((raw[:24].hex(), len(raw)), ("3000000000000000" + "0100000000000000" + "0100" + "0100"
                                           + "00000000", 48), "answer to getpid")
        error, _, pid, ppid = struct.unpack("<iIqq", raw[24:])
        expect(error == 0 and pid > 1 and ppid == 1, f"getpid: {error} {pid} {ppid}")
        equal(s.call(CLOSE, 999)[0], 9, "close of 999")
        equal(s.call(SOCKET, 2, 1, 0)[:2], (0, 3), "socket")


@test("as seen with the original: bind, getsockname, connect refused, accept without waiting")
def seen_sockets():
    with stack() as (_, server), speaker(server) as s:
        _, fd, _ = s.call(SOCKET, 2, 1 | NONBLOCK, 0)
        s.memory[0x1000] = sp.sockaddr("0.0.0.0", 7777)
        equal(s.call(BIND, fd, 0x1000, 16)[0], 0, "bind")
        equal([(a.type, a.length, a.payload) for a in s.asked],
              [(sp.COPYIN, 40, struct.pack("<QQ", 16, 0x1000))], "requests during bind")
        s.memory[0x2000] = struct.pack("<I", 16)
        equal(s.call(GETSOCKNAME, fd, 0x3000, 0x2000)[0], 0, "getsockname")
        equal([(a.type, a.payload.hex()) for a in s.asked],
              [(sp.COPYIN, struct.pack("<QQ", 4, 0x2000).hex()),
               (sp.COPYOUT, struct.pack("<QQ", 16, 0x3000).hex() + "10021e61" + "00" * 12),
               (sp.COPYOUT, struct.pack("<QQ", 4, 0x2000).hex() + "10000000")],
              "requests during getsockname")
        equal(s.call(LISTEN, fd, 5)[0], 0, "listen")
        equal(s.call(ACCEPT, fd, 0, 0)[0], AGAIN, "accept")
        _, fd, _ = s.call(SOCKET, 2, 1, 0)
        s.memory[0x1000] = sp.sockaddr(server.address, 7778)
        equal(s.call(CONNECT, fd, 0x1000, 16)[0], 61, "connect")
        equal([(a.type, a.length) for a in s.asked], [(sp.COPYIN, 40)], "requests during connect")


@test("as seen with the original: unknown calls, calls without a handshake, two at once")
def seen_calls():
    with stack() as (_, server):
        with speaker(server) as s:
            equal((s.call(900)[0], s.asked), (78, []), "call 900")
            equal(s.call(344)[0], 78, "kqueue")
            equal([(a.type, a.arg, a.length) for a in s.asked], [(sp.RAISE, 12, 24)],
                  "a call of the table that is not there raises SIGSYS first")
            both = {s.start(CLOSE, 999): 9, s.start(GETPID): 0}
            for _ in range(2):
                got = s.receive()
                equal(struct.unpack("<i", got.payload[:4])[0], both.pop(got.reqno), "its error")
        for raw in (sp.frame(sp.REQUEST, sp.SYSCALL, GETPID),
                    sp.frame(sp.REQUEST, sp.HANDSHAKE, sp.AUTH, b"x\0")):
            with speaker(server, guest=False) as s:
                s.send(raw)
                got = s.receive()
                equal((got.kind, got.arg, got.length), (sp.ERROR, 2, 24), "its error")
                expect(s.closed(), "still open")


@test("as seen with the original: prefork, its cookie, and the cookie again")
def seen_fork():
    with stack() as (_, server), speaker(server) as parent:
        _, fd, _ = parent.call(SOCKET, 2, 1, 0)
        parent.request(sp.PREFORK)
        got = parent.receive()
        equal((got.kind, got.type, got.length), (sp.RESPONSE, sp.PREFORK, 40), "prefork")
        hello = sp.frame(sp.REQUEST, sp.HANDSHAKE, sp.FORK, got.payload + struct.pack("<i", 0))
        with speaker(server, guest=False) as child:
            child.send(hello)
            got = child.receive()
            equal((got.kind, got.payload), (sp.RESPONSE, bytes(4)), "fork")
            equal(child.call(CLOSE, fd)[0], 0, "close of the descriptor that was inherited")
            equal(parent.call(LISTEN, fd, 1)[0], 0, "the parent's is still there")
            with speaker(server, guest=False) as again:
                again.send(hello)
                got = again.receive()
                equal((got.kind, got.arg), (sp.ERROR, 3), "the same cookie")
                expect(again.closed(), "still open")


@test("as seen with the original: frames that make no sense, and they are counted")
def seen_malformed():
    with stack() as (_, server):
        count = server.get(MALFORMED)[MALFORMED]
        with speaker(server) as s:
            for raw in (sp.frame(5, sp.SYSCALL, reqno=70), sp.frame(sp.REQUEST, sp.RAISE, reqno=71),
                        sp.frame(sp.REQUEST, sp.COPYIN, 0, bytes(16), 72),
                        sp.frame(sp.REQUEST, 99, reqno=73),
                        sp.frame(sp.RESPONSE, sp.COPYIN, 0, b"unasked", 74),
                        sp.frame(sp.REQUEST, sp.SYSCALL, GETPID, b"odd", 75),
                        sp.frame(sp.REQUEST, sp.SYSCALL, GETPID, bytes(8 * 9), 76)):
                s.send(raw)
                got = s.receive()
                equal((got.kind, got.arg, got.reqno), (sp.ERROR, 7,
                      struct.unpack("<Q", raw[8:16])[0]), f"answer to {sp.Frame(raw)}")
                equal(s.call(CLOSE, 999)[0], 9, "the call after it")
            s.send(sp.frame(sp.REQUEST, sp.HANDSHAKE, sp.GUEST, b"again\0", 80))
            got = s.receive()
            equal((got.kind, got.arg), (sp.ERROR, 7), "a second guest handshake")
            expect(s.closed(), "still open after a second guest handshake")
        expect(server.get(MALFORMED)[MALFORMED] >= count + 8, "not all were counted")


@test("lengths that no frame has close the connection without a word, and take no memory")
def lengths():
    with stack() as (_, server):
        before = resident_kib(server)
        count = server.get(MALFORMED)[MALFORMED]
        cases = [(kind, n) for kind in (sp.REQUEST, sp.RESPONSE, 5)
                 for n in (0, 1, 23, 1 << 31, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)]
        for guest in (False, True):
            for kind, length in cases:
                with speaker(server, guest) as s:
                    s.send(sp.frame(kind, sp.COPYIN, 0, bytes(100), 5, length))
                    expect(s.closed(), f"class {kind}, length {length}: not closed")
        expect(server.get(MALFORMED)[MALFORMED] >= count + 2 * len(cases), "not all were counted")
        expect(resident_kib(server) < before + 4096, "the server has grown")


def resident_kib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


@test("frames cut off at every byte, and connections that say nothing")
def truncated():
    with stack() as (_, server):
        raw = sp.frame(sp.REQUEST, sp.SYSCALL, GETPID, bytes(24), 1)
        for n in range(len(raw)):
            with speaker(server) as s:
                s.send(raw[:n])
        for n in range(25):
            with speaker(server, guest=False) as s:
                s.send(sp.frame(sp.REQUEST, sp.HANDSHAKE, sp.GUEST, b"x\0")[:n])
        with speaker(server) as s:
            for byte in raw:
                s.send(bytes([byte]))
            equal(s.receive().length, 48, "a call that came byte by byte")


@test("garbage: 300 connections of random bytes and of random frames")
def garbage():
    rng = random.Random(20180727)
    with stack() as (_, server):
        for i in range(300):
            with speaker(server, guest=bool(i % 3)) as s, contextlib.suppress(OSError):
                for _ in range(rng.randrange(1, 8)):
                    payload = rng.randbytes(rng.choice((0, 4, 8, 16, 24, 48, 64, 300)))
                    s.send(payload if i % 5 == 0 else sp.frame(
                        rng.choice((0, 0, 0, 1, 2, 3)), rng.randrange(10),
                        rng.choice((GETPID, SOCKET, 41, 54, 92, 207, 209, 417, rng.randrange(208))),
                        payload, rng.randrange(4)))
        expect(server.get(MALFORMED)[MALFORMED] > 50, "hardly anything was counted")


@test("copy-ins answered wrongly: too short, too long, an error, with another number")
def bad_copyin():
    with stack() as (_, server):
        for payload, kind, more, error in (
                (bytes(3), sp.RESPONSE, 0, 14), (b"", sp.ERROR, 0, 14), (b"", sp.RESPONSE, 0, 14),
                (bytes(17), sp.RESPONSE, 0, None), (bytes(1 << 17), sp.RESPONSE, 0, None),
                (bytes(16), sp.RESPONSE, 9, "still waiting")):
            with speaker(server) as s:
                _, fd, _ = s.call(SOCKET, 2, 1, 0)
                call = s.start(BIND, fd, 0x1000, 16)
                asked = s.receive()
                with contextlib.suppress(OSError):  # it may have hung up already
                    s.send(sp.frame(kind, sp.COPYIN, 7, payload, asked.reqno + more))
                if error is None:
                    expect(s.closed(), f"{len(payload)} bytes for 16: not closed")
                elif error == "still waiting":
                    equal(s.receive().arg, 7, "an answer that nobody asked for")
                    equal(s.call(CLOSE, 999)[0], 9, "a call besides")
                else:
                    equal(s.finish(call)[0], error, f"bind with an answer of {len(payload)} bytes")


@test("a client that never reads its answers: others are served, and it costs no more than a bit")
def never_reads():
    with stack() as (w, server), speaker(server) as s:
        before = resident_kib(server)
        s.socket.settimeout(2)
        calls = b"".join(sp.frame(sp.REQUEST, sp.SYSCALL, GETPID, b"", i) for i in range(1000))
        with contextlib.suppress(OSError):
            for _ in range(2000):
                s.send(calls)
            expect(False, "it took two million calls of one that reads no answer")
        equal(wire.transfer(server.endpoint, w.linux("b"), "-n", "4m")[0]["bytes"], 4 << 20,
              "another client's bytes")
        expect(resident_kib(server) < before + 8192, "the server has grown")


@test("more clients than there may be: turned away, and room again when one goes")
def too_many():
    with stack() as (_, server):
        server.set(sysproxy__maxclients=8)
        with contextlib.ExitStack() as clients:
            full = [clients.enter_context(speaker(server)) for _ in range(8)]
            try:
                speaker(server)
                expect(False, "the ninth was let in")
            except (sp.Closed, OSError):
                pass
            equal(full[0].call(GETPID)[0], 0, "a call of the first")
            full[0].close()
            expect(wire.wait_until(lambda: try_one(server)), "no room after one went")


def try_one(server):
    try:
        with speaker(server) as s:
            return s.call(GETPID)[0] == 0
    except (sp.Closed, OSError):
        return False


if __name__ == "__main__":
    sys.exit(libe2e.main())
