#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A few programs under `rumpus run`, in both roles: the part of tests/suite that is quick.

curl, nc, and Python's http.server; connections in a row. The whole suite is `make programs`, and a
million in a row is `make million`.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../suite"))
import libsuite
import rows
import test_transfer as _  # its tests are what is run here

QUICK = ("curl", "nc", "8,000")


@libsuite.test("8,000 connections in a row, half of them each way: the server does not grow")
def in_a_row():
    with libsuite.site("-o", "net.inet.tcp.maxtcptw=400") as s:
        for side in ("linux", "stack"):
            rows.expect_no_growth(rows.in_a_row(s, side, 4000))


if __name__ == "__main__":
    libsuite.keep(lambda name: name.startswith(QUICK))
    sys.exit(libsuite.main())
