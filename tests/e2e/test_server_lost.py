#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The server ends under programs that use its sockets, and is started again: errors, no hangs."""
import signal
import subprocess
import sys

import libe2e
import wire
from libe2e import equal, expect, test

WORKERS = 8


class Rig:
    """A server with a control socket, and a program of tests/programs/sem_lost.c on it."""

    def __init__(self, w, case):
        self.wire, self.control = w, f"{w.folder}/control"
        self.start()
        command = [wire.program("rumpus"), "-s", self.control, "run", "--all", "--",
                   wire.program("sem_lost"), case]
        self.program = w.a.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)

    def start(self):
        self.server = self.wire.server("a", "--control", self.control)

    def end(self, number):
        self.server.process.send_signal(number)
        self.server.process.wait(10)

    def line(self):
        return self.program.stdout.readline().strip()

    def tell(self):
        self.program.stdin.write("\n")
        self.program.stdin.flush()


# HOSTILE 80
@test("killed under blocked calls: each returns; old sockets are reset, new ones ENETDOWN, then work")
def blocked():
    with wire.Wire() as w:
        rig = Rig(w, "-lost")
        try:
            equal(rig.line(), "ready", "first line")
            rig.end(signal.SIGKILL)
            lines = []
            while (line := rig.line()) not in ("gone", ""):
                lines.append(line)
            got = dict(line.split(" -> ") for line in lines)
            for call in ("read", "accept", "recv", "send"):
                equal(got[f"a blocked {call}"], "ECONNRESET", call)
            equal(got["a blocked poll"], "some", "poll")
            equal(got["socket(AF_INET, SOCK_STREAM, 0)"], "ENETDOWN", "a new socket")
            equal(got['send(pair[0], "x", 1, MSG_NOSIGNAL)'], "ECONNRESET", "an old stream")
            rig.start()
            out, _ = rig.program.communicate("\n", timeout=20)
            expect('write(pair[0], "again", 5) -> 5' in out, out)
            expect("read(pair[1], (char[8]){0}, 8) -> 5" in out, out)
        finally:
            rig.program.kill()
            rig.program.wait()


@test("killed and stopped under load, three times: every thread gets an error, and works again")
def under_load():
    with wire.Wire() as w:
        rig = Rig(w, "-load")
        try:
            for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
                equal(rig.line(), f"working {WORKERS}", "before")
                rig.end(how)
                rig.tell()
                equal(rig.line(), f"lost {WORKERS}", f"after {how.name}")
                rig.start()
                rig.tell()
            equal(rig.line(), f"working {WORKERS}", "at the end")
            libe2e.server_alive(rig.server)
        finally:
            rig.program.kill()
            rig.program.wait()


if __name__ == "__main__":
    sys.exit(libe2e.main())
