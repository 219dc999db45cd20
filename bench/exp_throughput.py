# SPDX-License-Identifier: BSD-2-Clause
"""Throughput by buffer size: the study's figures 2, 5, 6 and 7, the doors, and processor time."""
import cells
import harness
from cells import clusters

GRID = [clusters(b, n) for b in (2048, 4096) for n in (1, 4, 8, 16)]
PLAIN = [clusters(b, n, "plain") for b in (2048, 4096) for n in (1, 16)]
DOORS = [cells.STOCK, cells.WIDE, clusters(4096, 16), cells.VM, cells.FDSOCK, cells.LINKED]
MACHINE = [cells.NATIVE_MACHINE, cells.FDSOCK_MACHINE]
BOTH = [cells.STOCK, cells.WIDE, cells.VM, cells.FDSOCK, cells.FDSOCK_LINK]
OVERHEAD_S = 0.03
SHAPED_RATE = "1gbit"

FIGS = {
    "2": [cells.STOCK],
    "5": [clusters(2048, 1), clusters(4096, 1), clusters(2048, 16), clusters(4096, 16), *PLAIN],
    "6": [cells.STOCK, *GRID[4:]],
    "7": GRID[:4],
    "doors": DOORS, "cpu": DOORS, "machine": MACHINE,
}


def gib_cost(cell, busy):
    """Processor seconds a GiB: of the programs and servers, and of the whole machine."""
    gib = 1 << 30
    sent = cell["writer_bytes"] / gib
    if not cell["bytes"] or not sent:
        return None, None
    ours = cell["reader_cpu_s"] * gib / cell["bytes"]
    ours += (cell["writer_cpu_s"] + cell["server_cpu_s"]) / sent
    return ours, busy / sent


def measure(lab, rate, row, direction, size, options):
    before = harness.busy_s()
    cell = lab.measure(row, direction, size, options.seconds, options.warmup)
    cost, machine = gib_cost(cell, harness.busy_s() - before)
    key = {"wire": rate, "direction": direction, "row": row.name, "size": size}
    keep = ("door", "mclbytes", "mclnum", "vm", "tap", "seconds", "bytes", "reader_cpu_s",
            "writer_cpu_s", "writer_bytes", "server_cpu_s", *cells.COPIES)
    return [harness.record("throughput", key, cell["mib_s"], "MiB/s", cpu_s_gib=cost,
                           machine_s_gib=machine, **{k: cell[k] for k in keep})]


def chosen(options, rows):
    """Those rows of a stage that the figure asked for shows."""
    if not options.fig:
        return rows
    names = [r.name for r in FIGS.get(options.fig, [])]
    return [r for r in rows if r.name in names]


def spread(rows):
    """Native Linux before, amid and after the others."""
    half = (len(rows) + 1) // 2
    return [cells.NATIVE, *rows[:half], cells.NATIVE, *rows[half:]]


def plan(options, rate, rows, sizes, both):
    seconds = options.seconds + options.warmup + OVERHEAD_S
    out = []
    for size in sizes:
        order = [(d, r) for d in ("send", "receive") for r in spread(rows)]
        order += [("both", r) for r in both]
        for direction, row in order:
            text = f"{rate} {direction}, {row.name}, {cells.size_name(size)}"
            out.append(harness.Cell(text, seconds, lambda lab, a=(row, direction, size):
                                    measure(lab, rate, *a, options)))
    return out


def unshaped(options):
    rows = [*GRID, cells.VM, cells.FDSOCK, cells.LINKED, *PLAIN, *MACHINE]
    if options.quick:
        rows = [r for r in rows if r.mclnum in (0, 1, 16)]
    rows, both = chosen(options, rows), BOTH
    if options.fig:
        both = [cells.STOCK] if options.fig == "2" else BOTH if options.fig == "doors" else []
    sizes = cells.SIZES if options.fig in ("2", "5", "6", "7") else cells.ALL_SIZES
    return plan(options, "unshaped", rows, sizes[::2] if options.quick else sizes, both)


def shaped(options):
    rows = [*GRID, cells.FDSOCK]
    if options.quick:
        rows = [cells.STOCK, clusters(2048, 16), clusters(4096, 1), cells.FDSOCK]
    rows, both = chosen(options, rows), [cells.STOCK]
    if options.fig and options.fig != "2":
        both = []
    return plan(options, SHAPED_RATE, rows, cells.SIZES[::3] if options.quick else cells.SIZES, both)


def stages():
    figs = ("2", "5", "6", "7")
    return [
        harness.Stage("throughput, unshaped", (*figs, "doors", "cpu", "machine"),
                      lambda o: cells.Lab(default=True, linked=True), unshaped),
        harness.Stage("throughput, shaped to 1 Gbit/s", figs, lambda o: cells.Lab(SHAPED_RATE),
                      shaped),
    ]
