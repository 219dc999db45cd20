#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two servers joined by shared memory: byte-exact both ways, and either end may go and come back."""
import os
import signal
import sys

import libe2e
import wire
from libe2e import equal, expect, test


def link(w, name="wire"):
    return f"link:wire0,path={w.folder}/{name}.sock"


def pair(w):
    return w.server("a", driver=link(w)), w.server("b", driver=link(w))


def verify(sender, reader, size, count, seed):
    got, sent = wire.transfer(sender.endpoint, reader.endpoint, "--verify", "-b", str(size),
                              "-n", str(count), "--seed", str(seed))
    for result in (got, *sent):
        expect(result["verified"], f"not verified: {result}")


@test("byte-exact, both ways, writes of every kind of size")
def exact():
    with wire.Wire() as w:
        one, other = pair(w)
        for i, (size, count) in enumerate(((1, 3000), (1448, 2 << 20), (65536, 16 << 20),
                                           (1 << 20, 16 << 20))):
            verify(one, other, size, count, 2 * i)
            verify(other, one, size, count, 2 * i + 1)
        for name, n in one.get("net.drop.ip.cksum", "net.drop.tcp.cksum").items():
            equal(n, 0, name)


@test("an end that is killed in mid-transfer, either one, is waited for and comes back")
def comes_back():
    with wire.Wire() as w:
        ends = list(pair(w))
        verify(ends[0], ends[1], 65536, 1 << 20, 1)
        for victim, side in ((1, "b"), (0, "a")):
            out = ends[0].endpoint.popen("writeserver", "-a", ends[0].address, "-p", "0",
                                         stdout=-1, stderr=-1)
            into = ends[1].endpoint.popen("readclient", "-a", ends[0].address, "-p",
                                          wire.listening(out), "-b", "64k", "-n", "100g",
                                          stdout=-1, stderr=-1)
            bytes_in = "kern.copy.sosend_copyin_bytes"
            expect(wire.wait_until(lambda: ends[0].get(bytes_in)[bytes_in] > 1 << 20),
                   "nothing was sent")
            ends[victim].process.kill()
            ends[victim].process.wait()
            (out if victim == 0 else into).wait(30)
            for process in (out, into):
                process.kill()
                process.communicate()
            ends[victim] = w.server(side, driver=link(w))
            verify(ends[0], ends[1], 65536, 1 << 20, 2)
            verify(ends[1], ends[0], 65536, 1 << 20, 3)


@test("a third end is turned away, and says why")
def third():
    with wire.Wire() as w:
        one, other = pair(w)
        try:
            w.server("b", driver=link(w))
        except wire.Failed as e:
            expect("two ends already" in str(e), f"unclear: {e}")
        else:
            raise AssertionError("it started")
        verify(one, other, 65536, 1 << 20, 1)
        path = f"{w.folder}/wire.sock"
        for server in (one, other):
            server.process.send_signal(signal.SIGTERM)
            equal(server.process.wait(10), 0, "exit status")
        expect(not os.path.exists(path), f"{path} is left")


if __name__ == "__main__":
    sys.exit(libe2e.main())
