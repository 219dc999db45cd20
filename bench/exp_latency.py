# SPDX-License-Identifier: BSD-2-Clause
"""How long a request and its answer take, by size, on an idle stack and beside a bulk stream."""
import contextlib
import subprocess

import cells
import harness
import loads
import wire

ROWS = [cells.NATIVE, cells.STOCK, cells.VM, cells.FDSOCK, cells.LINKED]
SIZES = [1, 64, 1024, 16384, 65536]
LOADED_SIZES = [1, 1024, 65536]
OVERHEAD_S = 0.05
POINTS = ("50", "90", "99", "99.9", "100")


@contextlib.contextmanager
def bulk(sender, reader, seconds):
    """A stream that goes on meanwhile. Yields a function that ends it and tells its MiB/s."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    out = sender.popen("writeserver", "-a", sender.address, "-p", "0", "-c", "1", **pipes)
    into = None
    try:
        port = wire.listening(out)
        into = reader.popen("readclient", "-a", sender.address, "-p", port, "-b", "64k", "-t",
                            f"{seconds + 30:.3f}", **pipes)
        yield
        if into.poll() is not None:
            raise wire.Failed("the stream beside the requests ended early")
    finally:
        for process in (into, out):
            if process is not None:
                process.kill()
                process.wait()
                process.stdout.close()


def measure(lab, row, size, loaded, seconds):
    end, peer, _ = lab.end(row)
    with contextlib.ExitStack() as stack:
        if loaded:
            stack.enter_context(bulk(end, peer, seconds))
        got, _ = loads.pair(peer, "echo", end, "rr", "-s", str(size), "-t", f"{seconds:.3f}", "-w",
                            "0.05", server_options=("-s", str(size)))
    key = {"row": row.name, "size": size, "load": "loaded" if loaded else "idle"}
    us = got["us"]
    return [harness.record("latency", {**key, "point": f"p{p}" if p != "100" else "max"}, us[p],
                           "us", "lower", quantiles=us if p == "50" else {}, count=got["count"])
            for p in POINTS]


def plan(options):
    seconds = 0.15 if options.quick else 0.3
    out = []
    for loaded, sizes in ((False, SIZES), (True, LOADED_SIZES)):
        for size in sizes[::2] if options.quick else sizes:
            for row in ROWS:
                if loaded and row is cells.LINKED:
                    continue  # it is one program, and has no other beside it
                words = f"request and answer, {row.name}, {cells.size_name(size)}"
                out.append(harness.Cell(
                    words + (", loaded" if loaded else ""), seconds + OVERHEAD_S + 0.05,
                    lambda lab, a=(row, size, loaded): measure(lab, *a, seconds)))
    return out


def stages():
    return [harness.Stage("latency", ("latency",),
                          lambda o: cells.Lab(linked=True, both=False), plan)]
