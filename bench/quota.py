# SPDX-License-Identifier: BSD-2-Clause
"""A limit on processor time for a whole run, by a control group: the study's PCs were slow."""
import os
import signal
import subprocess
import sys

import wire

MARK = "RUMPUS_BENCH_QUOTA"
PERIOD_US = 10000


def inside():
    return MARK in os.environ


def _write(group, name, value):
    with open(os.path.join(group, name), "w", encoding="ascii") as f:
        f.write(str(value))


def _make(percent):
    """A group of version 1 or 2, whichever has the processor. => its folder"""
    budget = PERIOD_US * percent // 100
    name = f"rumpus-bench-{os.getpid()}"
    tried = []
    for top, values in (("/sys/fs/cgroup/cpu", (("cpu.cfs_period_us", PERIOD_US),
                                                ("cpu.cfs_quota_us", budget))),
                        ("/sys/fs/cgroup", (("cpu.max", f"{budget} {PERIOD_US}"),))):
        group = os.path.join(top, name)
        try:
            if not os.path.exists(os.path.join(top, "cgroup.procs")):
                continue
            os.mkdir(group)
            for file, value in values:
                _write(group, file, value)
            return group
        except OSError as e:
            tried.append(f"{group}: {e.strerror}")
            if os.path.isdir(group):
                os.rmdir(group)
    raise wire.Unavailable(f"processor quota: {'; '.join(tried) or 'no control groups'}; try: as "
                           "root, or without --cpu")


def run(percent):
    """This program once more, inside. => its exit status; the group is removed."""
    try:
        group = _make(percent)
    except wire.Unavailable as e:
        wire.complain("bench", e)
        return 1
    child = None
    try:
        child = subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, MARK: group},
                                 preexec_fn=lambda: _write(group, "cgroup.procs", os.getpid()))
        for s in wire.ENDING:
            signal.signal(s, lambda number, _: child.send_signal(number))
        return child.wait()
    finally:
        if child is not None and child.poll() is None:
            child.kill()
            child.wait()
        wire.wait_until(lambda: _remove(group), 5)


def _remove(group):
    try:
        os.rmdir(group)
        return True
    except OSError:
        return not os.path.isdir(group)
