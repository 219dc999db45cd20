# SPDX-License-Identifier: BSD-2-Clause
"""How the evaluation runs: stages of cells, in rounds, each cell measured in turn.

A Stage has a laboratory and a list of Cells. A round measures every cell once, so that a cell, its
neighbours and native Linux share whatever the machine does meanwhile. A cell gives one or more
Records; the medians over the rounds are made of them, and all of them are kept.
"""
import collections
import csv
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time

import cells
import wire

SCHEMA = 1
QUIET_S = 5  # between lines of progress where no terminal is


MOST_FAILURES = 5  # of a stage


class Cell:
    """One measurement: run(lab) gives a list of records; seconds is what it takes, roughly."""

    def __init__(self, text, seconds, run):
        self.text, self.seconds, self.run = text, seconds, run


def record(experiment, key, value, unit, better="higher", **more):
    return {"experiment": experiment, "key": key, "value": value, "unit": unit, "better": better,
            "more": more}


class Stage:
    """figs: the names by which it, or a part of it, is asked for.

    lab(options) is a context manager; cells(options) is a list. A stage of one round measures
    something that is long in itself.
    """

    def __init__(self, name, figs, lab, make_cells, rounds=None):
        self.name, self.figs, self.lab, self.cells, self.rounds = name, figs, lab, make_cells, rounds

    def rounds_for(self, options):
        return min(self.rounds or options.rounds, options.rounds)


class Clock:
    """Lines like iperf3's on standard error, and an estimate of the time left."""

    def __init__(self, out, expected_s):
        self.out, self.expected, self.tty = out, expected_s, out.isatty()
        self.start = time.monotonic()
        self.done = self.last = 0.0

    def elapsed(self):
        return time.monotonic() - self.start

    def left(self):
        pace = self.elapsed() / self.done if self.done > 5 else 1.0
        return max(0.0, (self.expected - self.done) * pace)

    def heading(self, text):
        self.out.write(f"{text}\n[  time  left ] what\n")
        self.last = -QUIET_S

    def step(self, cell, records):
        self.done += cell.seconds
        if not self.tty and self.elapsed() - self.last < QUIET_S:
            return
        self.last = self.elapsed()
        values = ", ".join(f"{r['value']:.4g} {r['unit']}" for r in records[:3]
                           if r["value"] is not None)
        self.out.write(f"[{mmss(self.elapsed())} {mmss(self.left())}] {cell.text:58} {values}\n")
        self.out.flush()


    def failed(self, cell, why):
        self.done += cell.seconds
        self.out.write(f"[{mmss(self.elapsed())} {mmss(self.left())}] {cell.text}: FAILED: {why}\n")
        self.out.flush()


def mmss(seconds):
    return f"{int(seconds) // 60:3d}:{int(seconds) % 60:02d}"


def busy_s():
    """Processor time that the machine has spent, on whatever; 0 where it cannot be seen."""
    try:
        with open("/proc/stat", encoding="ascii") as f:
            n = [int(x) for x in f.readline().split()[1:9]]
    except OSError:
        return 0.0
    return (sum(n) - n[3] - n[4]) / os.sysconf("SC_CLK_TCK")


def run_cell(cell, lab, clock, number):
    before = time.monotonic() - clock.start
    load = os.getloadavg()[0]
    records = cell.run(lab)
    for r in records:
        r.update(round=number, at_s=round(before, 3), load1=load)
    clock.step(cell, records)
    return records


def run_stage(stage, options, clock, results, failures):
    """A cell that fails costs its own number; a stage of which many do is given up."""
    todo, rounds = stage.cells(options), stage.rounds_for(options)
    clock.heading(f"{stage.name}: {len(todo)} cells, {rounds} round{'s' * (rounds > 1)}")
    with stage.lab(options) as lab:
        for number in range(rounds):
            for cell in todo:
                try:
                    results.extend(run_cell(cell, lab, clock, number))
                except (wire.Failed, subprocess.SubprocessError) as e:
                    clock.failed(cell, e)
                    failures.append(f"{stage.name}: {cell.text}: {e}")
                    if len([f for f in failures if f.startswith(stage.name)]) >= MOST_FAILURES:
                        return


def expected(stages, options):
    return sum(c.seconds for s in stages for c in s.cells(options) for _ in
               range(s.rounds_for(options)))


def key_of(r):
    return (r["experiment"], *sorted(r["key"].items(), key=lambda kv: kv[0]))


def medians(results):
    groups = collections.OrderedDict()
    for r in results:
        groups.setdefault(key_of(r), []).append(r)
    out = []
    for group in groups.values():
        values = [r["value"] for r in group if r["value"] is not None]
        if not values:
            continue
        one = {k: group[0][k] for k in ("experiment", "key", "unit", "better")}
        one.update(n=len(values), median=statistics.median(values), min=min(values),
                   max=max(values), more=medians_more(group))
        out.append(one)
    return out


def medians_more(group):
    """The medians of what else was measured; of dictionaries of numbers, too."""
    out = {}
    for name in group[0]["more"]:
        values = [r["more"].get(name) for r in group]
        if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
            out[name] = statistics.median(values)
        elif all(isinstance(v, dict) for v in values):
            out[name] = {k: statistics.median(v[k] for v in values if k in v) for k in values[0]}
    return out


# --- about the machine ----------------------------------------------------------------------------

def _first(path, prefix):
    try:
        with open(path, encoding="utf-8") as f:
            for line in f:
                if line.startswith(prefix):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return None


def _output(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=False, cwd=wire.ROOT)
    except OSError:
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else None


def about(options):
    dirty = _output("git", "status", "--porcelain", "--untracked-files=no", "--", "sys", "dev",
                    "server", "client", "preload", "host", "bench", "embed")
    return {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _output("git", "describe", "--always", "--abbrev=12"),
        "modified": bool(dirty),
        "version": _output(wire.program("rumpus"), "--version"),
        "kernel": platform.release(), "machine": platform.machine(), "cpus": os.cpu_count(),
        "cpu": _first("/proc/cpuinfo", "model name"),
        "memory": _first("/proc/meminfo", "MemTotal"),
        "compiler": _output("gcc", "--version"), "libc": " ".join(platform.libc_ver()),
        "load_before": list(os.getloadavg()),
        "congestion_linux": cells.LINUX_CONGESTION,
        "options": {k: v for k, v in vars(options).items() if not k.startswith("_")},
    }


# --- files ----------------------------------------------------------------------------------------

def rounded(value):
    """Five digits, which is more than any of it is worth; the file is smaller by half."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return value


def write_json(path, head, results):
    """One record a line, so that runs can be compared as text."""
    with open(path, "w", encoding="utf-8") as f:
        f.write('{"schema": %d,\n"about": %s,\n"records": [\n' % (SCHEMA, json.dumps(head)))
        f.write(",\n".join(json.dumps(rounded(r)) for r in results))
        f.write("\n]}\n")


class BadFile(Exception):
    pass


def read_json(path):
    """(about, records) of a file of ours; raises BadFile with the reason."""
    try:
        with open(path, encoding="utf-8") as f:
            data = json.load(f)
    except (OSError, ValueError) as e:
        raise BadFile(f"{path}: {e}; try: a results.json of bench/run") from None
    problem = check(data)
    if problem:
        raise BadFile(f"{path}: {problem}; try: a results.json of this version's bench/run")
    return data["about"], data["records"]


def check(data):
    """What is wrong with the content of a results.json; None: nothing."""
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        return f"no results of schema {SCHEMA}"
    if not isinstance(data.get("about"), dict) or not isinstance(data.get("records"), list):
        return "no about, or no records"
    for i, r in enumerate(data["records"]):
        good = (isinstance(r, dict) and isinstance(r.get("experiment"), str)
                and isinstance(r.get("key"), dict) and isinstance(r.get("more"), dict)
                and isinstance(r.get("value"), (int, float, type(None)))
                and r.get("better") in ("higher", "lower", "neither")
                and isinstance(r.get("unit"), str) and isinstance(r.get("round"), int))
        if not good:
            return f"record {i} is not one"
    return None


def write_csv(path, table):
    names = []
    for m in table:
        names += [k for k in m["key"] if k not in names]
    with open(path, "w", encoding="utf-8", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["experiment", *names, "unit", "n", "median", "min", "max"])
        for m in table:
            out.writerow([m["experiment"], *(m["key"].get(n, "") for n in names), m["unit"], m["n"],
                          *(f"{m[k]:.6g}" for k in ("median", "min", "max"))])


def say(text):
    print(text, file=sys.stderr, flush=True)
