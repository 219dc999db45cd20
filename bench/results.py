# SPDX-License-Identifier: BSD-2-Clause
"""The medians of a run, asked for by what they are of."""
import cells
import harness


class Data:
    def __init__(self, head, records):
        self.about, self.records = head, records
        self.table = harness.medians(records)
        self._by_key = {harness.key_of(m): m for m in self.table}

    def one(self, experiment, **key):
        return self._by_key.get((experiment, *sorted(key.items())))

    def value(self, experiment, **key):
        m = self.one(experiment, **key)
        return m["median"] if m else None

    def all(self, experiment):
        return [m for m in self.table if m["experiment"] == experiment]

    def rate(self, direction, row, size, wire="unshaped"):
        return self.value("throughput", wire=wire, direction=direction, row=row.name, size=size)

    def rates(self, wire="unshaped"):
        """As claims wants them."""
        return {(m["key"]["direction"], m["key"]["row"], m["key"]["size"]): m["median"]
                for m in self.all("throughput") if m["key"]["wire"] == wire}

    def curve(self, direction, row, wire="unshaped"):
        """(size, median, least, most)"""
        out = [(m["key"]["size"], m["median"], m["min"], m["max"]) for m in self.all("throughput")
               if (m["key"]["wire"], m["key"]["direction"], m["key"]["row"]) == (wire, direction,
                                                                               row.name)]
        return sorted(out)

    def native_spread(self):
        """Of native cells of throughput: half the range, as a part of the median, in the middle."""
        found = sorted((m["max"] - m["min"]) / 2 / m["median"] for m in self.all("throughput")
                       if m["key"]["row"] == cells.NATIVE.name and m["median"])
        return found[len(found) // 2] if found else None

    def soak(self):
        found = [r for r in self.records if r["experiment"] == "soak" and r["more"].get("samples")]
        return found[-1] if found else None
