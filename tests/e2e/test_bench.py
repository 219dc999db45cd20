#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 60
"""The evaluation's harness: a tiny run, its files, comparing, and what it refuses. No speeds."""
import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import time

import libe2e
import wire
from libe2e import equal, expect, test

import cells
import compare
import exp_load
import exp_throughput
import harness
import report


class Options:
    quick, fig, rounds, seconds, warmup, soak, seed, cpu = True, "2", 2, 0.02, 0.005, 1, 1, None


def tiny(_options):
    """One cell of each of two kinds."""
    rows = (cells.NATIVE, cells.FDSOCK, cells.STOCK)
    out = [harness.Cell(row.name, 0.1, lambda lab, row=row: exp_throughput.measure(
        lab, "unshaped", row, "send", 4096, Options)) for row in rows]
    out.append(harness.Cell("connections", 0.1, lambda lab: exp_load.connections(
        lab, cells.FDSOCK, "connects", 0.02)))
    return out


def measured():
    stage = harness.Stage("tiny", ("2",), lambda o: cells.Lab(both=False), tiny)
    results, failures = [], []
    harness.run_stage(stage, Options, harness.Clock(io.StringIO(), 1), results, failures)
    equal(failures, [], "failures")
    return results


@test("a run of a few cells: records, report, CSV, and the same run compared with itself")
def run():
    results = measured()
    equal(len(results), 8, "records")
    for r in results:
        expect(r["value"] > 0, f"nothing was measured: {r}")
    head = {**harness.about(Options), "took_s": 1, "load_after": [0], "congestion_machine": "?"}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as out:
        report.write(folder, head, results, "2")
        path = os.path.join(folder, "results.json")
        _, again = harness.read_json(path)
        equal(again, json.loads(json.dumps(harness.rounded(results))), "records read again")
        with open(os.path.join(folder, "medians.csv"), encoding="utf-8") as f:
            table = list(csv.DictReader(f))
        equal([t["n"] for t in table], ["2"] * 4, "values behind a median")
        with open(os.path.join(folder, "index.html"), encoding="utf-8") as f:
            page = f.read()
        expect("src=" not in page and "</html>" in page, "the page needs other files, or is torn")
        equal(compare.main([path, path]), 0, "exit status of compare")
    expect("4 in both: 0 better, 0 worse, 4 the same" in out.getvalue(), out.getvalue())


def hangs(lab):
    """Killed in time, although a child of it goes on and holds its pipes."""
    del lab
    one = subprocess.Popen(["sh", "-c", "sleep 30 & echo here >&2; wait"], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        return wire.finish(one, 0.3, "one")
    finally:
        one.stdout.close()
        one.stderr.close()


def fails(lab):
    raise wire.Failed(f"lab {lab}")


def stage_of(bad, rounds):
    """(records, failures, lines) of a stage of a good cell and a bad one"""
    todo = [harness.Cell("bad", 1, bad),
            harness.Cell("good", 1, lambda lab: [harness.record("x", {}, lab, "s")])]
    stage = harness.Stage("odd", ("x",), lambda o: contextlib.nullcontext(7), lambda o: todo)
    results, failures, said = [], [], io.StringIO()
    options = type("Rounds", (Options,), {"rounds": rounds})
    harness.run_stage(stage, options, harness.Clock(said, 1), results, failures)
    return [r["value"] for r in results], failures, said.getvalue()


@test("a measurement that hangs or fails costs itself, not the run; many, their stage")
def failing():
    start = time.monotonic()
    values_seen, failures, said = stage_of(hangs, 1)
    expect(time.monotonic() - start < 25, "waited for the child")
    equal(values_seen, [7], "records")
    equal(failures, ["odd: bad: one: did not end within 0.3 s: "], "failures")
    expect("bad: FAILED: one: " in said, said)
    values_seen, failures, _ = stage_of(fails, 9)
    equal(values_seen, [7] * (harness.MOST_FAILURES - 1), "records")
    equal(failures, ["odd: bad: lab 7"] * harness.MOST_FAILURES, "failures")


def values(rate, delay):
    return [harness.record("throughput", {"row": "x", "size": 1024}, rate + i, "MiB/s")
            for i in range(3)] + [harness.record("latency", {"row": "x"}, delay + i, "us", "lower")
                                  for i in range(3)]


@test("compare: better and worse by what is measured, the same where ranges overlap")
def judged():
    for (rate, delay), want in (((20, 20), ["better", "worse"]), ((1, 1), ["worse", "better"]),
                               ((11, 12), ["same", "same"])):
        got = [word for *_, word in compare.rows(values(10, 10), values(rate, delay))]
        equal(got, want, f"{rate} and {delay} against 10")


@test("results that are none are refused with the reason")
def refused():
    good = {"schema": harness.SCHEMA, "about": {}, "records": [
        {**harness.record("x", {}, 1.0, "s"), "round": 0}]}
    equal(harness.check(good), None, "a good one")
    bad = [{**good, "schema": 0}, {**good, "records": {}}, [], {**good, "records": [{}]},
           {**good, "records": [{**good["records"][0], "better": "larger"}]}]
    for data in bad:
        expect(harness.check(data), f"accepted: {data}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "no.json")
        done = subprocess.run([wire.program("rumpus"), "bench", "compare", path, path], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    equal(done.returncode, 1, "exit status")
    expect("; try: " in done.stderr, done.stderr)


if __name__ == "__main__":
    sys.exit(libe2e.main())
