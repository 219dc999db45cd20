# SPDX-License-Identifier: BSD-2-Clause
"""Flows of the stack and of Linux that share one bottleneck: who gets what."""
import concurrent.futures

import cells
import harness
import wire

RATE = "200mbit"
CASES = [  # what competes, on host a, each sending to host b
    ("1 Linux, 1 Linux", ["native", "native"]),
    ("1 stack, 1 stack", ["fdsock", "fdsock"]),
    ("1 stack, 1 Linux", ["fdsock", "native"]),
    ("2 stack, 2 Linux", ["fdsock", "fdsock", "native", "native"]),
    ("1 stack, 3 Linux", ["fdsock", "native", "native", "native"]),
]


def compete(lab, name, doors, tap, seconds):
    rows = {"fdsock": cells.Row("", "fdsock", tap=tap),
            "native": cells.Row("", "native", 0, 0, 0, tap)}
    ends = [lab.end(rows[door])[:2] for door in doors]
    options = ("-b", "64k", "-t", f"{seconds:.3f}", "-w", f"{seconds / 3:.3f}")
    with concurrent.futures.ThreadPoolExecutor(len(ends)) as pool:
        jobs = [pool.submit(wire.transfer, *pair, *options) for pair in ends]
        rates = [job.result()[0]["mib_s"] for job in jobs]
    ours = [r for r, door in zip(rates, doors) if door != "native"]
    jain = sum(rates) ** 2 / (len(rates) * sum(r * r for r in rates))
    linux = lab.machine if tap == "machine" else cells.LINUX_CONGESTION
    key = {"case": name, "linux": linux, "rate": RATE}
    fair = sum(rates) / len(rates)
    return [harness.record("fairness", {**key, "what": "Jain's index"}, jain, "of 1",
                           total=sum(rates), rates={str(i): r for i, r in enumerate(rates)}),
            harness.record("fairness", {**key, "what": "a stack flow's part of a fair share"},
                           sum(ours) / len(ours) / fair if ours else None, "x", "neither")]


def plan(options):
    seconds = 1.5 if options.quick else 4.0
    out = []
    for name, doors in CASES[:3] if options.quick else CASES:
        for tap in ("default", "machine"):
            out.append(harness.Cell(f"one bottleneck, {name}, {tap}", seconds * 4 / 3 + 0.1,
                                    lambda lab, a=(name, doors, tap): compete(lab, *a, seconds)))
    return out


def stages():
    return [harness.Stage("fairness", ("fairness",),
                          lambda o: cells.Lab(RATE, default=True, both=False), plan, rounds=3)]
