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
