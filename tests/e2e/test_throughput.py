#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""rumpus sim --grid: one connection's speed by window, loss, round trip and congestion control, on
virtual time, against sim/throughput.txt and theory. It prints TAP itself."""
import os
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
PROGRAM = os.path.join(os.environ.get("RUMPUS_BUILD", os.path.join(ROOT, "build")), "rumpus")

sys.stdout.flush()
os.execv(PROGRAM, [PROGRAM, "sim", "--grid", os.path.join(ROOT, "sim/throughput.txt")])
