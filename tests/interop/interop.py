# SPDX-License-Identifier: BSD-2-Clause
"""Transfers between Linux and the stack, and Linux and Linux, over the same bad link (dev/fault).

The stack is at host a, behind its own tap's impairments. Linux is at host b; for Linux to Linux,
faultwire joins a tap of host a to one of host b with the same impairments. All use CUBIC.
"""
import contextlib
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../bench"))
import wire

TRANSFER = [sys.executable, os.path.join(HERE, "transfer.py")]
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
         "text": True}
LINUX_A, LINUX_B = "10.77.0.1", "10.77.0.2"


class Ends:
    """Where the programs of side a and b run: a function that starts one, and their addresses."""

    def __init__(self, a, b, address_a, address_b):
        self.start = {"a": a, "b": b}
        self.address = {"a": address_a, "b": address_b}

    def transfer(self, sender, flows, seconds):
        """Sends from one side to the other. Returns bytes a second; a wrong byte is a failure."""
        reader = "b" if sender == "a" else "a"
        into = self.start[reader](*TRANSFER, "read", "0", str(flows))
        try:
            port = into.stdout.readline().split()[-1]
            out = self.start[sender](*TRANSFER, "send", self.address[reader], port, str(flows),
                                     str(seconds))
            sent = self._result(out, seconds + 90)
            got = self._result(into, 30)
        finally:
            into.kill()
            into.communicate()
        if got["wrong"] or got["bytes"] != sent["bytes"]:
            raise wire.Failed(f"{sent['bytes']} bytes sent, {got['bytes']} received; {got['wrong']}")
        return got["bytes"] / got["seconds"]

    @staticmethod
    def _result(process, limit_s):
        try:
            out, errors = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, errors = process.communicate()
            raise wire.Failed(f"transfer.py did not end: {errors}") from None
        if process.returncode != 0:
            raise wire.Failed(f"transfer.py: status {process.returncode}: {errors.strip()}")
        return json.loads(out.splitlines()[-1])


@contextlib.contextmanager
def stack(impairments, *options):
    """The stack at a, Linux at b."""
    with wire.Wire() as w:
        control = f"{w.folder}/control.sock"
        server = w.server("a", "--control", control, *options, tap=f",{impairments}")
        run = [wire.program("rumpus"), "-s", control, "run", "--"]
        yield Ends(lambda *argv: w.a.popen([*run, *argv], **PIPES),
                   lambda *argv: w.b.popen(argv, **PIPES), server.address, wire.LINUX_B)


@contextlib.contextmanager
def linux(impairments):
    """Linux at both."""
    with wire.Wire() as w:
        wires = w.a.popen([wire.program("faultwire"), "fault0", "fault1", *impairments.split(",")],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if wires.stdout.readline() != "ready\n":
                raise wire.Failed("faultwire did not start")
            w.a.ip("link", "set", "fault1", "netns", w.b.name)
            for host, name, address in ((w.a, "fault0", LINUX_A), (w.b, "fault1", LINUX_B)):
                host.ip("addr", "add", f"{address}/24", "dev", name)
                host.ip("link", "set", name, "up")
            yield Ends(lambda *argv: w.a.popen(argv, **PIPES),
                       lambda *argv: w.b.popen(argv, **PIPES), LINUX_A, LINUX_B)
        finally:
            wires.stdin.close()
            wires.wait(10)
            wires.stdout.close()
