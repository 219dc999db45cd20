# SPDX-License-Identifier: BSD-2-Clause
"""What is measured: the pairings and settings of the study and ours, one buffer size at a time.

A Lab has the wires and servers. Lab.measure() is one cell of a table: one connection, its
throughput as the read client sees it, the CPU time of programs and servers, and, where asked for,
what the stack's counters say about copies.

The Linux sides use Reno: every kernel lets a namespace choose it, it does not pace, and on a wire
without loss it is as fast as Linux gets. The machine's own default may pace (BBR does) and then
makes native Linux look slow; Lab(default=True) has a wire that uses it, for comparison.
"""
import wire

KIB, MIB = 1024, 1024 * 1024
SIZES = [1 * KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1 * MIB, 4 * MIB]
ALL_SIZES = [64, 256, *SIZES]
COPIES = ("kern.copy.sosend_copyins", "kern.copy.sosend_copyin_bytes",
          "kern.copy.soreceive_copyouts", "kern.copy.soreceive_copyout_bytes")
LINUX_CONGESTION = "reno"


def size_name(size):
    if size >= MIB:
        return f"{size // MIB}M"
    return f"{size // KIB}K" if size >= KIB else f"{size}B"


class Row:
    """A setting: a door, clusters of the stack, the copy engine, and the kind of tap.

    door: native (no stack of ours), sysproxy, fdsock, linked.
    tap: default (checksums and segmentation left to Linux), plain (frames as the study's tap had
    them), machine (as default, but the Linux sides use the machine's congestion control), link (none:
    two servers joined by shared memory, for both sides on stacks).
    """

    def __init__(self, name, door="sysproxy", mclbytes=2048, mclnum=16, vm=0, tap="default"):
        self.name, self.door, self.mclbytes, self.mclnum = name, door, mclbytes, mclnum
        self.vm, self.tap = vm, tap

    def native(self):
        return self.door == "native"

    def settings(self):
        return {"kern.mbuf.mclbytes": self.mclbytes, "kern.mbuf.mclnum": self.mclnum,
                "sysproxy.vmcopy": self.vm}

    def about(self):
        return {"row": self.name, "door": self.door, "mclbytes": self.mclbytes,
                "mclnum": self.mclnum, "vm": self.vm, "tap": self.tap}


def clusters(mclbytes, mclnum, tap="default"):
    name = f"{mclbytes} x {mclnum}"
    if tap == "plain":
        name += ", plain frames"
    elif (mclbytes, mclnum) == (2048, 1):
        name += " (stock)"
    return Row(name, "sysproxy", mclbytes, mclnum, 0, tap)


NATIVE = Row("native Linux", "native", 0, 0)
STOCK = clusters(2048, 1)
WIDE = clusters(2048, 16)
VM = Row("4096 x 16, vm", "sysproxy", 4096, 16, 1)
FDSOCK = Row("fdsock (rumpus run)", "fdsock", 4096, 16)
STOCK_PLAIN = clusters(2048, 1, "plain")
WIDE_PLAIN = clusters(2048, 16, "plain")
LINKED = Row("linked in", "linked", 0, 0)
NATIVE_MACHINE = Row("native, machine's cc", "native", 0, 0, 0, "machine")
FDSOCK_LINK = Row("fdsock, shared memory", "fdsock", 4096, 16, 0, "link")
FDSOCK_MACHINE = Row("fdsock, machine's cc", "fdsock", 4096, 16, 0, "machine")


class Lab:
    """default: with a wire whose Linux sides use the machine's congestion control, too.

    linked: with a tap for programs that have a stack of their own. both: with a second wire that
    has a stack at either end, and two more joined by shared memory.
    """

    def __init__(self, rate=None, default=False, linked=False, both=True):
        self.rate, self.default, self.with_linked, self.with_both = rate, default, linked, both
        self.linked = None
        self.wires, self.stacks, self.machine = {}, {}, None
        self._set = {}

    def __enter__(self):
        kinds = {"default": ("", LINUX_CONGESTION), "plain": (",offload=off", LINUX_CONGESTION)}
        if self.default:
            kinds["machine"] = ("", None)
        try:
            for tap, (keys, congestion) in kinds.items():
                w = self.wires[tap] = wire.Wire(rate=self.rate, congestion=congestion)
                self.stacks[tap] = self._server(w, "a", keys)
            if self.with_both:
                both = self.wires["both"] = wire.Wire(both=True, rate=self.rate,
                                                      congestion=LINUX_CONGESTION)
                self.stacks["left"] = self._server(both, "a", "")
                self.stacks["right"] = self._server(both, "b", "")
                for side in "ab":
                    self.stacks["link", side] = both.server(
                        side, "--control", f"{both.folder}/link-{side}.control",
                        driver=f"link:wire0,path={both.folder}/wire.sock")
            if self.with_linked:
                self.linked = self.wires["default"].linked()
            if self.default:
                self.machine = self.wires["machine"].a.congestion()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def differs(self):
        """Is the machine's congestion control another one than we use?"""
        return self.machine not in (None, LINUX_CONGESTION)

    @staticmethod
    def _server(w, side, keys):
        return w.server(side, "--control", f"{w.folder}/{side}.control", tap=keys)

    def __exit__(self, kind, *what):
        for w in self.wires.values():
            w.__exit__(kind, *what)

    def end(self, row):
        """(where the row's programs run on host a, its Linux peer on host b, its server or None)"""
        peer = self.wires[row.tap].linux("b")
        if row.door == "native":
            return self.wires[row.tap].linux("a"), peer, None
        if row.door == "linked":
            return self.linked, peer, None
        server = self.stacks[row.tap]
        self.apply(server, row.settings())
        return self.endpoint(server, row), peer, server

    @staticmethod
    def endpoint(server, row):
        return server.fdsock_endpoint() if row.door == "fdsock" else server.endpoint

    def pairing(self, row, direction):
        """(sender, reader, the servers on the way), set as the row says"""
        if direction == "both":
            names = (("link", "a"), ("link", "b")) if row.tap == "link" else ("left", "right")
            servers = [self.stacks[name] for name in names]
            for server in servers:
                self.apply(server, row.settings())
            return (*(self.endpoint(s, row) for s in servers), servers)
        end, peer, server = self.end(row)
        ends = (end, peer) if direction == "send" else (peer, end)
        return (*ends, [server] if server else [])

    def apply(self, server, settings):
        if self._set.get(server) != settings:
            server.set(**settings)
            self._set[server] = settings

    def measure(self, row, direction, size, seconds, warmup, counters=True):
        """direction: send, receive (by the side that has the stack) or both."""
        sender, reader, servers = self.pairing(row, direction)

        def now():
            return [(s.get(*COPIES) if counters else {}, s.cpu_s()) for s in servers]
        before = now()
        got, sent = wire.transfer(sender, reader, "-b", str(size), "-t", f"{seconds:.3f}", "-w",
                                  f"{warmup:.3f}", limit_s=seconds + warmup + 60)
        after = now()
        cell = {**row.about(), "direction": direction, "size": size, "mib_s": got["mib_s"],
                "seconds": got["seconds"], "bytes": got["bytes"], "reader_cpu_s": got["cpu_s"],
                "writer_cpu_s": sent[0]["cpu_s"], "writer_bytes": sent[0]["bytes"],
                "server_cpu_s": round(sum(a[1] - b[1] for a, b in zip(after, before)), 3)}
        for name in COPIES if counters else ():
            cell[name] = sum(a[0][name] - b[0][name] for a, b in zip(after, before))
        return cell


class Progress:
    """One line on standard error, rewritten; on what is no terminal, a line now and then."""

    def __init__(self, out, total):
        self.out, self.total, self.done, self.tty = out, total, 0, out.isatty()

    def step(self, text):
        self.done += 1
        if self.tty:
            self.out.write(f"\r\033[K[{self.done}/{self.total}] {text}")
        elif self.done % max(1, self.total // 8) == 1 or self.done == self.total:
            self.out.write(f"[{self.done}/{self.total}] {text}\n")
        self.out.flush()

    def end(self):
        if self.tty:
            self.out.write("\r\033[K")
            self.out.flush()
