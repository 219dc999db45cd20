#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A share of tests/interop: the stack and Linux over a bad link, byte for byte, both ways."""
import os
import sys

import libe2e
from libe2e import expect, test

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../interop"))
import interop

BAD = "loss=1%,delay=2ms,jitter=1ms,reorder=1%/3ms,dup=1%,corrupt=0.5%,rate=100M"


def moved(rig, sender):
    with rig(BAD) as ends:
        rate = ends.transfer(sender, 4, 1.5)
    expect(rate > 10000, f"{rate:.0f} bytes a second")


@test("lossy, reordered, doubled and corrupted: the stack sends to Linux, byte for byte")
def sends():
    moved(interop.stack, "a")


@test("lossy, reordered, doubled and corrupted: the stack receives from Linux, byte for byte")
def receives():
    moved(interop.stack, "b")


@test("the same between Linux and Linux: the link that tests/interop measures with")
def linux():
    moved(interop.linux, "a")


if __name__ == "__main__":
    sys.exit(libe2e.main())
