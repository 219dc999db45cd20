# SPDX-License-Identifier: BSD-2-Clause
"""Claims that a run confirms or refutes: each is computed from the run's numbers, never written in.

RATES maps (direction, row's name, size) to MiB/s.
"""
import math

import cells

KIB, MIB = cells.KIB, cells.MIB

# The original rump kernel on a machine like this one, MiB/s: native, and its stock setting.
ORIGINAL_NATIVE = {KIB: 167, 4 * KIB: 610, 16 * KIB: 1827, 64 * KIB: 2980, MIB: 1997}
ORIGINAL_STOCK = {
    "send": {KIB: 5.9, 4 * KIB: 14, 16 * KIB: 21, 64 * KIB: 21, MIB: 24},
    "receive": {KIB: 9.5, 4 * KIB: 27, 16 * KIB: 68, 64 * KIB: 115, MIB: 117},
}
LARGE = 64 * KIB
LEAST_GAIN = 1.8
NOT_SLOWER = 0.9  # of the other: what two cells of the same setting may differ by


class Claim:
    """goal and measured are words; holds is None where the run has no numbers for it."""

    def __init__(self, goal, measured, holds):
        self.goal, self.measured, self.holds = goal, measured, holds

    def verdict(self):
        return {True: "holds", False: "does not hold", None: "not measured"}[self.holds]

    def line(self):
        return f"{self.verdict():13} {self.goal}: {self.measured}"


def geomean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def ratios(rates, direction, row, other, sizes):
    """{size: row's rate as a multiple of the other's}, where both were measured."""
    out = {}
    for size in sizes:
        a, b = (rates.get((direction, r.name, size)) for r in (row, other))
        if a is not None and b:
            out[size] = a / b
    return out


def words(values, form="{:.2f} x"):
    return ", ".join(f"{cells.size_name(s)} " + form.format(v) for s, v in values.items())


def at_least(goal, values, least, form="{:.2f} x"):
    holds = all(v >= least for v in values.values()) if values else None
    return Claim(goal, words(values, form), holds)


def more_clusters_send_faster(rates, sizes, wide, stock):
    got = ratios(rates, "send", wide, stock, [s for s in sizes if s >= LARGE])
    return at_least(f"sending, {wide.name} at least {LEAST_GAIN} x {stock.name}", got, LEAST_GAIN)


def receiving_not_slower(rates, sizes, rows, stock):
    found = {}
    for row in rows:
        for size, r in ratios(rates, "receive", row, stock, sizes).items():
            found[row.name, size] = r
    if not found:
        return Claim("receiving", "", None)
    worst = min(found, key=found.get)
    text = (f"worst {found[worst]:.2f} x ({worst[0]} at {cells.size_name(worst[1])}), mean "
            f"{geomean(found.values()):.2f} x")
    return Claim(f"receiving, no setting slower than {stock.name} (below {NOT_SLOWER} x)", text,
                 found[worst] >= NOT_SLOWER)


def twice_the_original(rates, direction, stock, native, factor=2):
    """The share of native that the stock setting reaches, against the original's."""
    ours = ratios(rates, direction, stock, native, ORIGINAL_NATIVE)
    times = {s: r / (ORIGINAL_STOCK[direction][s] / ORIGINAL_NATIVE[s]) for s, r in ours.items()}
    word = {"send": "sending", "receive": "receiving"}[direction]
    return at_least(f"{word}, {stock.name} at least {factor} x the original's share of "
                    f"{native.name}",
                    times, factor, "{:.1f} x")


# --- the goals of the fast path -------------------------------------------------------------------

def _ratio_goal(goal, a, b, limit, at_most=False):
    if a is None or not b:
        return Claim(goal, "", None)
    r = a / b
    return Claim(goal, f"{r:.2f} x ({a:.4g} against {b:.4g})", r <= limit if at_most else r >= limit)


def _throughput_goals(data, native, fdsock):
    rates, where = data.rates(), native.name
    send = ratios(rates, "send", fdsock, native, cells.ALL_SIZES)
    small = {s: r for s, r in send.items() if KIB <= s <= 4 * KIB}
    receive = ratios(rates, "receive", fdsock, native, cells.ALL_SIZES)
    yield at_least(f"fdsock sends at least 1.5 x {where} at every size", send, 1.5)
    yield at_least(f"fdsock sends at least 4 x {where} at 1 to 4 KiB", small, 4)
    yield at_least(f"fdsock receives at least 1.0 x {where} at every size", receive, 1.0)
    mean = {cells.KIB: geomean(receive.values())} if receive else {}
    yield Claim(f"fdsock receives at least 1.2 x {where} in geometric mean",
                "".join(f"{v:.2f} x" for v in mean.values()),
                all(v >= 1.2 for v in mean.values()) if mean else None)


def _both_goal(data, row, how):
    native, rates = cells.NATIVE, data.rates()
    got = {s: rates["both", row.name, s] / rates["send", native.name, s]
           for s in cells.ALL_SIZES if ("both", row.name, s) in rates
           and rates.get(("send", native.name, s))}
    return at_least(f"fdsock on both sides, {how}, at least 1.5 x {native.name}", got, 1.5)


def _cpu_goal(data, direction):
    got = {}
    for size in [s for s in cells.ALL_SIZES if s >= LARGE]:
        a, b = (data.one("throughput", wire="unshaped", direction=direction, row=r.name, size=size)
                for r in (cells.FDSOCK, cells.NATIVE))
        if a and b and a["more"].get("machine_s_gib") and b["more"].get("machine_s_gib"):
            got[size] = a["more"]["machine_s_gib"] / b["more"]["machine_s_gib"]
    holds = all(v <= 1.2 for v in got.values()) if got else None
    return Claim(f"processor time a GiB, {direction}, at most 1.2 x native from 64 KiB on",
                 words(got), holds)


def _original_goal(data, row, factor, native):
    got = {}
    for size in (LARGE, MIB):
        r = ratios(data.rates(), "send", row, native, [size]).get(size)
        if r:
            got[size] = r / (ORIGINAL_STOCK["send"][size] / ORIGINAL_NATIVE[size])
    return at_least(f"sysproxy {row.name} sends at least {factor} x the original's share of "
                    f"{native.name}", got, factor, "{:.1f} x")


def goals(data):
    """Every goal, in order, as Claims."""
    native, fdsock = cells.NATIVE, cells.FDSOCK
    yield from _throughput_goals(data, native, fdsock)
    yield from _throughput_goals(data, cells.NATIVE_MACHINE, cells.FDSOCK_MACHINE)
    yield _both_goal(data, fdsock, "over taps")
    yield _both_goal(data, cells.FDSOCK_LINK, "by shared memory")
    for direction in ("send", "receive"):
        yield _ratio_goal(f"8 streams, {direction}, at least 1.2 x native", *(
            data.value("streams", row=r.name, direction=direction, streams=8)
            for r in (fdsock, native)), 1.2)
    for point, limit in (("p50", 1.0), ("p99", 1.2)):
        yield _ratio_goal(f"request and answer of 1 byte, {point} at most {limit} x native", *(
            data.value("latency", row=r.name, size=1, load="idle", point=point)
            for r in (fdsock, native)), limit, at_most=True)
    for role in ("connects", "accepts"):
        yield _ratio_goal(f"connections a second, the stack {role}, at least 0.7 x native", *(
            data.value("connections", row=r.name, role=role) for r in (fdsock, native)), 0.7)
    for direction in ("send", "receive"):
        yield _cpu_goal(data, direction)
    for direction in ("send", "receive"):
        for batch in (1, 32):
            yield _ratio_goal(f"datagrams of 1400 bytes, {direction}, {batch} a call, at least "
                              "0.8 x native", *(data.value("udp", row=r.name, direction=direction,
                                                           size=1400, batch=batch)
                                                for r in (fdsock, native)), 0.8)
    for other in (native, cells.NATIVE_MACHINE):
        yield _original_goal(data, cells.WIDE, 10, other)
        yield _original_goal(data, cells.VM, 30, other)
    call = data.value("null", row=cells.STOCK.name)
    yield Claim("shortest call through sysproxy at most 15 us",
                "" if call is None else f"{call:.1f} us", None if call is None else call <= 15)


def study_claims(data):
    """What `make demo` checks, too, from the medians of the evaluation."""
    rates = data.rates()
    settings = [cells.clusters(b, n) for b in (2048, 4096) for n in (1, 4, 8, 16)][1:]
    yield more_clusters_send_faster(rates, cells.SIZES, cells.WIDE, cells.STOCK)
    yield more_clusters_send_faster(rates, cells.SIZES, cells.WIDE_PLAIN, cells.STOCK_PLAIN)
    yield receiving_not_slower(rates, cells.SIZES, [*settings, cells.VM], cells.STOCK)
    for native in (cells.NATIVE, cells.NATIVE_MACHINE):
        for direction in ("send", "receive"):
            yield twice_the_original(rates, direction, cells.STOCK, native)
