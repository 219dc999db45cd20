# SPDX-License-Identifier: BSD-2-Clause
"""What is measured: the pairings and settings of the study and ours, one buffer size at a time.

A Lab has one wire with a stack on one side, and one with a stack on both. measure() is one cell of
a table: one connection, its throughput as the read client sees it, the CPU time of programs and
servers, and what the stack's counters say about copies.
"""
import wire

KIB, MIB = 1024, 1024 * 1024
SIZES = [1 * KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1 * MIB, 4 * MIB]
COPIES = ("kern.copy.sosend_copyins", "kern.copy.sosend_copyin_bytes",
          "kern.copy.soreceive_copyouts", "kern.copy.soreceive_copyout_bytes")


def size_name(size):
    return f"{size // MIB}M" if size >= MIB else f"{size // KIB}K"


class Row:
    """A setting: native, or clusters of the stack, the copy engine, and whether the tap offloads."""

    def __init__(self, name, mclbytes=0, mclnum=0, vm=0, offload=False):
        self.name, self.mclbytes, self.mclnum, self.vm = name, mclbytes, mclnum, vm
        self.offload = offload

    def native(self):
        return self.mclbytes == 0

    def apply(self, server):
        server.set(kern__mbuf__mclbytes=self.mclbytes, kern__mbuf__mclnum=self.mclnum,
                   sysproxy__vmcopy=self.vm)


NATIVE = Row("native Linux")
STOCK = Row("2048 x 1 (stock)", 2048, 1)
VM = Row("4096 x 16, vm", 4096, 16, 1)
OFFLOAD = Row("2048 x 16, offload", 2048, 16, 0, True)
VM_OFFLOAD = Row("  and vm, offload", 4096, 16, 1, True)


def clusters(mclbytes, mclnum):
    return STOCK if (mclbytes, mclnum) == (2048, 1) else Row(f"{mclbytes} x {mclnum}", mclbytes,
                                                             mclnum)


class Lab:
    def __init__(self, rate=None):
        self.rate = rate
        self.one = self.two = self.three = None

    def __enter__(self):
        self.one = wire.Wire(rate=self.rate)
        self.two = wire.Wire(both=True, rate=self.rate)
        self.three = wire.Wire(rate=self.rate)
        # Plain frames, as the study's tap had them; and checksums and segmentation left to Linux.
        self.stack = self.one.server("a", tap=",offload=off")
        self.left, self.right = (self.two.server(side, tap=",offload=off") for side in "ab")
        self.fast = self.three.server("a")
        return self

    def __exit__(self, *what):
        for w in (self.one, self.two, self.three):
            if w is not None:
                w.__exit__(*what)

    def _pairing(self, row, direction):
        """(sender, reader, the servers on the way)"""
        if direction == "both":
            return self.left.endpoint, self.right.endpoint, [self.left, self.right]
        home, stack = (self.three, self.fast) if row.offload else (self.one, self.stack)
        mine = home.linux("a") if row.native() else stack.endpoint
        ends = (mine, home.linux("b"))
        servers = [] if row.native() else [stack]
        return (*(ends if direction == "send" else ends[::-1]), servers)

    def measure(self, row, direction, size, seconds, warmup):
        """direction: send, receive (by the side that has the stack) or both."""
        sender, reader, servers = self._pairing(row, direction)
        for server in servers:
            row.apply(server)
        before = [(s.get(*COPIES), s.cpu_s()) for s in servers]
        got, sent = wire.transfer(sender, reader, "-b", str(size), "-t", f"{seconds:.3f}", "-w",
                                  f"{warmup:.3f}", limit_s=seconds + warmup + 60)
        after = [(s.get(*COPIES), s.cpu_s()) for s in servers]
        cell = {"row": row.name, "mclbytes": row.mclbytes, "mclnum": row.mclnum, "vm": row.vm,
                "offload": row.offload,
                "direction": direction, "size": size, "mib_s": got["mib_s"],
                "seconds": got["seconds"], "bytes": got["bytes"], "reader_cpu_s": got["cpu_s"],
                "writer_cpu_s": sent[0]["cpu_s"], "writer_bytes": sent[0]["bytes"],
                "server_cpu_s": round(sum(a[1] - b[1] for a, b in zip(after, before)), 3)}
        for name in COPIES:
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
