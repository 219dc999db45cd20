#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a program may expect of a socket: the semantics suite, a test a row.

`make semantics` prints the same as a table, with every difference that is known.
"""
import sys

import libe2e
import libsemantics
from libe2e import equal, expect, test

_bench = []


def bench():
    if not _bench:
        _bench.append(libsemantics.Bench())
    return _bench[0]


def row_test(group, text, names):
    @test(f"{group}: {text}")
    def _row():
        outcomes = [(name, bench().outcome(name)) for name in names]
        wrong = [f"{name}: {o.wrong()}" for name, o in outcomes if o.wrong()]
        expect(not wrong, "\n".join(wrong))
        expect(all(o.calls > 1 for _, o in outcomes), "a case that says nothing")


for _each in libsemantics.ROWS:
    row_test(*_each)


@test("each case belongs to a row")
def complete():
    equal(libsemantics.unlisted(), [], "cases without one")


if __name__ == "__main__":
    try:
        status = libe2e.main()
    finally:
        for _one in _bench:
            _one.close()
    sys.exit(status)
