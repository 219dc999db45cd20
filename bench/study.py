# SPDX-License-Identifier: BSD-2-Clause
"""The study's sentences, each held against its own numbers, the original's here, and ours.

A Variant answers rate(direction, setting, size), setting being (mclbytes, mclnum) or "native".
"""
import statistics

import cells
from claims import ORIGINAL_NATIVE, geomean

KIB, MIB = cells.KIB, cells.MIB
TABLE_SIZES = (KIB, 4 * KIB, 16 * KIB, 64 * KIB, MIB)

# The original rump kernel of 2016 on a machine like this one, MiB/s at TABLE_SIZES.
ORIGINAL = {
    ("send", (2048, 1)): (5.9, 14, 21, 21, 24), ("send", (4096, 1)): (6.5, 21, 37, 32, 41),
    ("send", (2048, 4)): (6.7, 22, 47, 72, 61), ("send", (2048, 8)): (6.8, 24, 65, 86, 89),
    ("send", (2048, 16)): (7.0, 24, 69, 100, 106), ("send", (4096, 4)): (6.8, 24, 67, 82, 77),
    ("send", (4096, 8)): (7.0, 26, 71, 111, 113), ("send", (4096, 16)): (6.4, 24, 69, 118, 128),
    ("receive", (2048, 1)): (9.5, 27, 68, 115, 117), ("receive", (4096, 1)): (10, 29, 67, 99, 99),
    ("both", (2048, 1)): (8.5, 13, 18, 15, 16),
}


class Variant:
    def __init__(self, name, rate, sizes):
        self.name, self.rate, self.sizes = name, rate, sizes

    def ratios(self, direction, setting, other, sizes=None):
        out = {}
        for size in sizes or self.sizes:
            way = "send" if direction == "both" and other == "native" else direction
            a, b = self.rate(direction, setting, size), self.rate(way, other, size)
            if a and b:
                out[size] = a / b
        return out


def original():
    def rate(direction, setting, size):
        if size not in TABLE_SIZES:
            return None
        if setting == "native":
            return ORIGINAL_NATIVE[size]
        return dict(zip(TABLE_SIZES, ORIGINAL.get((direction, setting), ()))).get(size)
    return Variant("the original here", rate, TABLE_SIZES)


def ours(data, name, wire, tap):
    def rate(direction, setting, size):
        row = cells.NATIVE if setting == "native" else cells.clusters(*setting, tap)
        if direction == "both" and tap == "plain":
            return None
        return data.rate(direction, row, size, wire)
    return Variant(name, rate, cells.SIZES)


def variants(data):
    return [original(), ours(data, "ours, plain frames", "unshaped", "plain"),
            ours(data, "ours, offload", "unshaped", "default"),
            ours(data, "ours, offload, 1 Gbit/s", "1gbit", "default")]


# --- sentences: each (v) -> (words, holds) or None ------------------------------------------------

STOCK = (2048, 1)


def _share(direction):
    def say(v):
        got = v.ratios(direction, STOCK, "native")
        if not got:
            return None
        mean = statistics.mean(got.values())
        return f"{100 * mean:.1f} %", mean < 0.5
    return say


def wire_rate(v):
    got = [r for r in (v.rate("send", "native", s) for s in v.sizes) if r]
    if not got:
        return None
    return f"{min(got):.0f} to {max(got):.0f} MiB/s", min(got) > 0.95 * max(got)


def receiving_nearer(v):
    send, receive = (v.ratios(d, STOCK, "native") for d in ("send", "receive"))
    if not send or not receive:
        return None
    a, b = (100 * statistics.mean(x.values()) for x in (send, receive))
    return f"{b:.1f} % against {a:.1f} %", b > a


def both_slowest(v):
    both, send = v.ratios("both", STOCK, "native"), v.ratios("send", STOCK, "native")
    sizes = [s for s in both if s in send]
    if not sizes:
        return None
    got = geomean([both[s] / send[s] for s in sizes])
    return f"{got:.2f} x of sending", got < 1


def _gain(direction, setting, least, best):
    def say(v):
        got = v.ratios(direction, setting, STOCK)
        if not got:
            return None
        value = max(got.values()) if best else statistics.mean(got.values())
        return f"{100 * (value - 1):+.1f} %", value - 1 >= least
    return say


def receives_slower(v):
    got = v.ratios("receive", (4096, 1), STOCK)
    if not got:
        return None
    mean = statistics.mean(got.values())
    return f"{100 * mean:.1f} %", mean < 0.95


def receives_the_same(v):
    got = v.ratios("receive", (2048, 16), STOCK)
    if not got:
        return None
    mean = statistics.mean(got.values())
    return f"{100 * mean:.1f} %", 0.9 <= mean <= 1.1


def never_slower(v):
    large, worst = [s for s in v.sizes if s >= 64 * KIB], None
    for size in (2048, 4096):
        for less, more in ((1, 4), (4, 8), (8, 16)):
            got = v.ratios("send", (size, more), (size, less), large)
            for s, r in got.items():
                if worst is None or r < worst[0]:
                    worst = (r, f"{size} x {more} at {cells.size_name(s)}")
    return None if worst is None else (f"worst {worst[0]:.2f} x, {worst[1]}", worst[0] >= 0.95)


SENTENCES = [  # the sentence, when it counts as true, the study's number, how to tell
    ("Linux reaches the wire's rate at every buffer size", "all within 5 %", "112 MiB/s", wire_rate),
    ("One side on the stack, stock, sends far below Linux", "mean share under 50 %", "10.3 %",
     _share("send")),
    ("… and receives far below Linux", "mean share under 50 %", "24.7 %", _share("receive")),
    ("Receiving is nearer to Linux than sending", "larger mean share", "24.7 against 10.3 %",
     receiving_nearer),
    ("The stack on both sides is slower than on one", "mean ratio under 1", "5 to 14 MiB/s",
     both_slowest),
    ("MCLBYTES 4096 alone sends faster", "mean of 5 % or more", "+40.3 %",
     _gain("send", (4096, 1), 0.05, False)),
    ("MCLBYTES 4096 receives slower than stock", "mean under 95 %", "66.1 %", receives_slower),
    ("MCLBYTES 4096, MCLNUM 16 sends much faster at best", "50 % or more", "up to +129.2 %",
     _gain("send", (4096, 16), 0.5, True)),
    ("MCLBYTES 2048, MCLNUM 16 sends much faster at best", "50 % or more", "up to +95.9 %",
     _gain("send", (2048, 16), 0.5, True)),
    ("MCLBYTES 2048, MCLNUM 16 leaves receiving unchanged", "mean within 10 %", "unchanged",
     receives_the_same),
    ("More clusters a copy-in (1, 4, 8, 16) are never slower from 64 KiB on", "within 5 %",
     "so in figures 6 and 7", never_slower),
]


def checked(data):
    """Rows of a table: sentence, criterion, the study's number, and for each variant the words."""
    vs = variants(data)
    head = ["sentence", "counts as true if", "the study"] + [v.name for v in vs]
    body = []
    for text, when, number, tell in SENTENCES:
        row = [text, when, number]
        for v in vs:
            got = tell(v)
            row.append("–" if got is None else f"{got[0]}: {'so' if got[1] else 'not so'}")
        body.append(row)
    return head, body
