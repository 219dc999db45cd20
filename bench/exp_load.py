# SPDX-License-Identifier: BSD-2-Clause
"""What a user would ask: connections a second, many streams, datagrams, the shortest call."""
import concurrent.futures
import time

import cells
import harness
import loads
import wire

CONNECT_ROWS = [cells.NATIVE, cells.STOCK, cells.VM, cells.FDSOCK, cells.LINKED]
STREAM_ROWS = [cells.NATIVE, cells.WIDE, cells.VM, cells.FDSOCK]
UDP_ROWS = [cells.NATIVE, cells.VM, cells.FDSOCK, cells.LINKED]
NULL_ROWS = [cells.NATIVE, cells.STOCK, cells.FDSOCK, cells.LINKED]
STREAMS = 8
BATCH = 32
UDP_SIZES = [64, 1400]


def connections(lab, row, role, seconds):
    """role: which side of the connection the stack is."""
    end, peer, _ = lab.end(row)
    server, opener = (peer, end) if role == "connects" else (end, peer)
    got, _ = loads.pair(server, "accept", opener, "connect", "-t", f"{seconds:.3f}", "-w", "0.05",
                        own_end=False)
    key = {"row": row.name, "role": role}
    return [harness.record("connections", key, got["per_s"], "1/s", quantiles=got["us"])]


def streams(lab, row, direction, seconds):
    """So many pairs at once; each counts the same time, nearly."""
    sender, reader, servers = lab.pairing(row, direction)
    before = harness.busy_s(), sum(s.cpu_s() for s in servers)
    options = ("-b", "64k", "-t", f"{seconds:.3f}", "-w", "0.15")
    with concurrent.futures.ThreadPoolExecutor(STREAMS) as pool:
        jobs = [pool.submit(wire.transfer, sender, reader, *options) for _ in range(STREAMS)]
        rates = [job.result()[0]["mib_s"] for job in jobs]
    key = {"row": row.name, "direction": direction, "streams": STREAMS}
    return [harness.record("streams", key, sum(rates), "MiB/s", least=min(rates), most=max(rates),
                           jain=sum(rates) ** 2 / (len(rates) * sum(r * r for r in rates)),
                           machine_s=harness.busy_s() - before[0],
                           server_cpu_s=sum(s.cpu_s() for s in servers) - before[1])]


def datagrams(lab, row, direction, size, batch, seconds):
    end, peer, _ = lab.end(row)
    sender, sink = (end, peer) if direction == "send" else (peer, end)
    one = ("-s", str(size), "-m", str(batch))
    sent, got = loads.pair(sink, "udpin", sender, "udpout", *one, "-t", f"{seconds:.3f}",
                           server_options=one)
    key = {"row": row.name, "direction": direction, "size": size, "batch": batch}
    return [harness.record("udp", key, got["per_s"], "1/s", sent_per_s=sent["per_s"],
                           arrived=got["count"] / max(1, sent["count"]))]


def null_call(lab, row, seconds):
    end, _, _ = lab.end(row)
    got = loads.alone(end, "null", "-t", f"{seconds:.3f}", "-w", "0.02")
    return [harness.record("null", {"row": row.name}, got["us"]["50"], "us", "lower",
                           quantiles=got["us"])]


def plan(options):
    short = 0.15 if options.quick else 0.3
    out = []

    def add(fig, text, seconds, function, *args):
        if options.fig in (None, fig):
            out.append(harness.Cell(text, seconds, lambda lab: function(lab, *args)))
    for role in ("connects", "accepts"):
        for row in CONNECT_ROWS:
            add("connections", f"connections, {row.name} {role}", short + 0.1, connections, row,
                role, short)
    for direction in ("send", "receive"):
        for row in STREAM_ROWS:
            add("streams", f"{STREAMS} streams {direction}, {row.name}", 2 * short + 0.3, streams,
                row, direction, 2 * short)
        for size in UDP_SIZES[1:] if options.quick else UDP_SIZES:
            for row in UDP_ROWS:
                for batch in (1, BATCH) if row.door in ("native", "fdsock") else (1,):
                    add("udp", f"datagrams of {size} {direction}, {row.name}, {batch} a call",
                        short + 0.4, datagrams, row, direction, size, batch, short)
    for row in NULL_ROWS:
        add("null", f"shortest call, {row.name}", 0.15, null_call, row, 0.1)
    return out


# --- start-up, memory, idle connections -----------------------------------------------------------

def startup(lab):
    """From the start of the server to its first answer; then of programs on it."""
    w = lab.wires["default"]
    start = time.monotonic()
    server = w.server("a", "--control", f"{w.folder}/s{start}.control", driver=f"tap:{lab.spare}")
    ready = time.monotonic() - start
    try:
        memory = server.status() or {"rss_kib": None, "fds": None}
        out = [harness.record("startup", {"what": "rumpusd ready"}, 1e3 * ready, "ms", "lower"),
               harness.record("startup", {"what": "rumpusd resident"}, memory["rss_kib"], "KiB",
                              "lower")]
        host = w.linux("a").host
        for what, before in (("/bin/true", []), ("/bin/true, rumpus run",
                                                  server.fdsock_endpoint().before)):
            start = time.monotonic()
            done = host.run([*before, "/bin/true"])
            if done.returncode != 0:
                raise wire.Failed(f"{what}: exit status {done.returncode}")
            out.append(harness.record("startup", {"what": what}, 1e3 * (time.monotonic() - start),
                                      "ms", "lower"))
        return out
    finally:
        server.stop()
        w.servers.remove(server)


def idle(lab, row, count):
    """Connections that do nothing: opening them, their memory, what the server does meanwhile."""
    end, peer, server = lab.end(row)
    before = server.status()
    with loads.serving(peer, "hold", "-n", str(count)) as (_, port):
        start = time.monotonic()
        client = end.popen("load", "idle", "-a", peer.address, "-p", port, "-n", str(count),
                           **loads.PIPES)
        try:
            if not client.stdout.readline().startswith("{"):
                raise wire.Failed(f"load idle: {client.communicate()[1].strip()}")
            opened = time.monotonic() - start
            cpu, start = server.cpu_s(), time.monotonic()
            time.sleep(1)  # the time over which an idle server's work is counted
            percent = 100 * (server.cpu_s() - cpu) / (time.monotonic() - start)
            after = server.status()
        finally:
            client.kill()
            client.communicate()
    key = {"row": row.name, "connections": count}
    grown = None if None in (before, after) else (after["rss_kib"] - before["rss_kib"]) / count
    return [harness.record("idle", {**key, "what": "processor"}, percent, "%", "lower"),
            harness.record("idle", {**key, "what": "memory a connection"}, grown, "KiB", "lower"),
            harness.record("idle", {**key, "what": "opened"}, count / opened, "1/s")]


def plan_slow(options):
    counts = [1000] if options.quick else [1000, 5000]
    out = []
    if options.fig in (None, "startup"):
        out += [harness.Cell("start-up", 0.2, startup)] * 3
    if options.fig in (None, "idle"):
        for count in counts:
            for row in (cells.VM, cells.FDSOCK):
                out.append(harness.Cell(f"{count} idle connections, {row.name}",
                                        1.5 + count / 1500,
                                        lambda lab, a=(row, count): idle(lab, *a)))
    return out


class SlowLab(cells.Lab):
    """With a tap to spare for servers that come and go."""

    def __init__(self):
        super().__init__(both=False)
        self.spare = "tap2"

    def __enter__(self):
        super().__enter__()
        self.wires["default"].more_tap(self.spare)
        return self


def stages():
    return [
        harness.Stage("connections, streams, datagrams, calls",
                      ("connections", "streams", "udp", "null"),
                      lambda o: cells.Lab(linked=True, both=False), plan),
        harness.Stage("start-up, memory, idle connections", ("startup", "idle"),
                      lambda o: SlowLab(), plan_slow, rounds=3),
    ]
