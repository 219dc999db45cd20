#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A few programs under `rumpus run`, in both roles: the part of tests/suite that is quick.

curl, nc, and Python's http.server; the whole suite is `make programs`.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../suite"))
import libsuite
import test_transfer as _  # its tests are what is run here

QUICK = ("curl", "nc")

if __name__ == "__main__":
    libsuite.keep(lambda name: name.startswith(QUICK))
    sys.exit(libsuite.main())
