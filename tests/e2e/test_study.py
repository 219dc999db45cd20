#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 240
"""The study's pair is byte-exact in every mode: both ways at once, random writes and reads."""
import subprocess
import sys

import libe2e
import wire
from libe2e import expect, test

BYTES = 3 << 20
MODES = {"2048 x 1": (2048, 1, 0), "2048 x 16": (2048, 16, 0), "4096 x 1": (4096, 1, 0),
         "4096 x 16": (4096, 16, 0), "4096 x 16 vm": (4096, 16, 1)}


def verify(sender, reader, size, count, seed, connections=1):
    got, sent = wire.transfer(sender, reader, "--verify", "-b", str(size), "-n", str(count),
                              "--seed", str(seed), count=connections)
    for result in (got, *sent):
        expect(result["verified"], f"not verified: {result}")
    expect(got["bytes"] == 2 * count * connections, f"bytes: {got}")


def both_roles(one, other, count=BYTES):
    for i, size in enumerate((1 << 20, 65536, 1448, 1)):
        n = count if size > 1 else 5000
        verify(one, other, size, n, seed=2 * i + 1)
        verify(other, one, size, n, seed=2 * i + 2)


def set_mode(server, mclbytes, mclnum, vm):
    server.set(kern__mbuf__mclbytes=mclbytes, kern__mbuf__mclnum=mclnum, sysproxy__vmcopy=vm)


def sends_per_copyin(server, peer):
    """The mean of bytes that one copy-in of a bulk send brings."""
    names = ("kern.copy.sosend_copyin_bytes", "kern.copy.sosend_copyins")
    before = server.get(*names)
    got, _ = wire.transfer(server.endpoint, peer, "-b", "1m", "-n", "8m")
    expect(got["bytes"] == 8 << 20, f"bytes: {got}")
    after = server.get(*names)
    size, count = (after[n] - before[n] for n in names)
    expect(size == 8 << 20, f"{size} bytes were copied in for 8 MiB sent")
    return size / count


@test("native: byte-exact, in both roles")
def native():
    with wire.Wire() as w:
        both_roles(w.linux("a"), w.linux("b"))


FLIPPER = """
import socket, sys, threading
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print("listening 127.0.0.1", listener.getsockname()[1], flush=True)
one = listener.accept()[0]
two = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def pump(a, b, flip):
    seen = 0
    try:
        while data := bytearray(a.recv(4096)):
            if seen <= flip < seen + len(data):
                data[flip - seen] ^= 0x10
            seen += len(data)
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass
other = threading.Thread(target=pump, args=(one, two, -1))
other.start()
pump(two, one, 123456)
other.join()
"""


@test("one bit that flips on the way is found, and its place is told")
def flipped():
    with wire.Wire() as w:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        end = wire.Endpoint("127.0.0.1", w.a, "", {})
        out = end.popen("writeserver", "-a", "127.0.0.1", "-p", "0", **pipes)
        flipper = w.a.popen([sys.executable, "-c", FLIPPER, wire.listening(out)], text=True, **pipes)
        into = end.popen("readclient", "-a", "127.0.0.1", "-p", wire.listening(flipper), "--verify",
                         "-n", "1m", **pipes)
        _, errors = into.communicate(timeout=30)
        expect(into.returncode == 1, f"exit status {into.returncode}")
        expect("byte 123456: differs" in errors, errors)
        for process in (out, flipper):
            process.kill()
            process.communicate()


def mode_test(name, mode, tap):
    @test(f"{name}{tap}: byte-exact, as server and as client, and nothing is left")
    def run():
        mclbytes, mclnum, _ = mode
        with wire.Wire() as w:
            server, peer = w.server("a", tap=tap), w.linux("b")
            set_mode(server, *mode)
            before = libe2e.baseline(server, w.b)
            both_roles(server.endpoint, peer)
            mean = sends_per_copyin(server, peer)
            expect(mean <= mclbytes * mclnum, f"{mean:.0f} bytes a copy-in, beyond {mode}")
            expect(mean > 0.5 * mclbytes * (1 if mclnum == 1 else 2), f"only {mean:.0f} a copy-in")
            libe2e.server_alive(server)
            libe2e.settled(server, before)
            expect(server.get("sysproxy.stats.vm_fallbacks") == {
                "sysproxy.stats.vm_fallbacks": 0}, "the vm engine fell back")


def both_test(name, mode, *taps):
    @test(f"{name} on both sides{''.join(taps)}: byte-exact")
    def run():
        with wire.Wire(both=True) as w:
            left, right = w.server("a", tap=taps[0]), w.server("b", tap=taps[1])
            for server in (left, right):
                set_mode(server, *mode)
            both_roles(left.endpoint, right.endpoint, BYTES // 3)


@test("a wire of 100 Mbit/s that drops what is too much: byte-exact")
def shaped():
    with wire.Wire(rate="100mbit") as w:
        both_roles(w.server("a").endpoint, w.linux("b"), BYTES // 3)


@test("sysproxy over tcp://: byte-exact")
def over_tcp():
    with wire.Wire() as w:
        server = w.server("a", url="tcp://127.0.0.1:7001")
        server.endpoint.host = w.a
        server.endpoint.env["RUMP_SERVER"] = server.url
        verify(server.endpoint, w.linux("b"), 65536, BYTES, seed=5)
        verify(w.linux("b"), server.endpoint, 65536, BYTES, seed=6)


@test("the stack to itself, through its own address: byte-exact")
def itself():
    with wire.Wire() as w:
        server = w.server("a")
        both_roles(server.endpoint, server.endpoint, BYTES // 3)


PLAIN, OFFLOAD = ",offload=off", ",offload=on"

for mode_name, mode_values in MODES.items():
    mode_test(mode_name, mode_values, PLAIN)
for mode_name in ("2048 x 1", "4096 x 16 vm"):
    mode_test(mode_name, MODES[mode_name], OFFLOAD)
both_test("2048 x 1", MODES["2048 x 1"], PLAIN, PLAIN)
both_test("2048 x 16", MODES["2048 x 16"], PLAIN, OFFLOAD)
both_test("2048 x 16", MODES["2048 x 16"], OFFLOAD, OFFLOAD)

if __name__ == "__main__":
    sys.exit(libe2e.main())
