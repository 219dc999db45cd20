# SPDX-License-Identifier: BSD-2-Clause
"""Other ways to run a stack outside the kernel, from Debian, on the same wire.

lwIP: its socket calls and stack linked into the program, on a tap (liblwip's port), which is what
"linked in" is here; it has no offload on its tap and a window of 64 KiB, as Debian builds it.
pasta (passt): a program in a namespace of its own; pasta takes its packets off a tap there and
carries the bytes over by sockets of the host's kernel. It answers another question (a namespace
without privileges), and has two kernel stacks and itself on the way; it is compared as a way to run
unchanged programs, which fdsock is here.
"""
import os
import shutil

import cells
import harness
import loads
import wire

SIZES = [1024, 65536, 1 << 20]
ROWS = [cells.NATIVE, cells.LINKED, cells.FDSOCK]


class Peers(cells.Lab):
    def __init__(self):
        super().__init__(linked=True, both=False)
        self.lwip = None

    def __enter__(self):
        super().__enter__()
        w = self.wires["default"]
        w.a.ip("route", "add", "default", "via", wire.LINUX_B)  # or pasta finds no interface
        if have("lwip"):
            w.more_tap("tap3")
            self.lwip = wire.Endpoint(wire.PEER_A, w.a, "-lwip", {
                "PRECONFIGURED_TAPIF": "tap3", "BENCH_ADDR": wire.PEER_A})
        return self

    def pasta(self):
        """Programs in a namespace of their own behind pasta; they have host a's address."""
        w = self.wires["default"]
        # As root, without a user namespace: as "nobody", which it prefers, it cannot look into ours.
        # The gateway is the peer, and not, as pasta has it, another name of this host.
        before = ["pasta", "--netns-only", "--runas", "0", "--config-net", "--no-map-gw", "-q",
                  "-t", "auto", "--"]
        return wire.Endpoint(wire.LINUX_A, w.a, "", {}, before)


def have(name):
    if name == "lwip":
        return os.access(os.path.join(wire.BUILD, "readclient-lwip"), os.X_OK)
    return shutil.which("pasta") is not None


def ends(lab, name):
    peer = lab.wires["default"].linux("b")
    for row in ROWS:
        if row.name == name:
            return lab.end(row)[:2]
    return (lab.lwip if name == "lwIP, linked in" else lab.pasta()), peer


def throughput(lab, name, direction, size, options):
    pair = ends(lab, name)
    if direction == "receive":
        pair = pair[::-1]
    got, _ = wire.transfer(*pair, "-b", str(size), "-t", f"{options.seconds:.3f}", "-w",
                           f"{options.warmup:.3f}")
    key = {"peer": name, "direction": direction, "size": size}
    return [harness.record("peers", key, got["mib_s"], "MiB/s")]


def latency(lab, name):
    end, peer = ends(lab, name)
    got, _ = loads.pair(peer, "echo", end, "rr", "-t", "0.2", "-w", "0.05")
    return [harness.record("peers", {"peer": name, "direction": "request and answer, 1 byte",
                                     "size": 1}, got["us"]["50"], "us", "lower")]


def plan(options):
    names = [r.name for r in ROWS]
    names += ["lwIP, linked in"] if have("lwip") else []
    names += ["pasta"] if have("pasta") else []
    out = []
    for direction in ("send", "receive"):
        for size in SIZES:
            for name in names:
                if name == "pasta" and direction == "send":
                    continue
                out.append(harness.Cell(
                    f"{direction}, {name}, {cells.size_name(size)}",
                    options.seconds + options.warmup + 0.1,
                    lambda lab, a=(name, direction, size): throughput(lab, *a, options)))
    out += [harness.Cell(f"request and answer, {name}", 0.35, lambda lab, a=name: latency(lab, a))
            for name in names]
    return out


def stages():
    return [harness.Stage("peers", ("peers",), lambda o: Peers(), plan)]
