# SPDX-License-Identifier: BSD-2-Clause
"""Two runs laid beside each other: medians, their ratio, and whether the ranges are apart."""
import argparse
import sys

import cells
import harness
import wire


def label(m):
    words = [cells.size_name(v) if k == "size" else str(v) for k, v in m["key"].items()]
    return f"{m['experiment']}: {', '.join(words)}"


def judge(a, b):
    """better, worse or same, of b against a: only if no value of one lies within the other's."""
    if a["better"] == "neither":
        return ""
    if a["max"] < b["min"]:
        return "better" if a["better"] == "higher" else "worse"
    if b["max"] < a["min"]:
        return "worse" if a["better"] == "higher" else "better"
    return "same"


def rows(first, second):
    """(label, a, b, ratio, word) for what both have."""
    theirs = {harness.key_of(m): m for m in harness.medians(second)}
    for a in harness.medians(first):
        b = theirs.get(harness.key_of(a))
        if b is not None:
            ratio = b["median"] / a["median"] if a["median"] else None
            yield label(a), a, b, ratio, judge(a, b)


def describe(name, head):
    return (f"{name}: {head.get('commit')}, {head.get('cpu')} x {head.get('cpus')}, Linux "
            f"{head.get('kernel')}, {head.get('when')}")


def main(argv):
    args = argparse.ArgumentParser(prog="rumpus bench compare", description=__doc__)
    args.add_argument("a")
    args.add_argument("b")
    args.add_argument("--all", action="store_true", help="also what is the same")
    args = args.parse_args(argv)
    try:
        (head_a, a), (head_b, b) = harness.read_json(args.a), harness.read_json(args.b)
    except harness.BadFile as e:
        wire.complain("bench", e)
        return 1
    print(describe("A", head_a))
    print(describe("B", head_b))
    found = list(rows(a, b))
    if not found:
        wire.complain("bench", "the two runs measured nothing alike; try: runs of the same figure")
        return 1
    print(f"\n{'':64}{'A':>11}{'B':>11}{'B/A':>8}")
    for text, x, y, ratio, word in found:
        if word != "same" or args.all:
            times = f"{ratio:8.2f}" if ratio is not None else f"{'-':>8}"
            print(f"{text[:63]:64}{x['median']:11.4g}{y['median']:11.4g}{times}  {x['unit']} {word}")
    words = [word for *_, word in found]
    print(f"\n{len(words)} in both: {words.count('better')} better, {words.count('worse')} worse, "
          f"{words.count('same')} the same (their ranges overlap)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
