# SPDX-License-Identifier: BSD-2-Clause
"""A soak: mixed traffic for minutes or hours, with connects, closes, kills and a wire that fails.

Workers, each in a thread of its own, exchange checked streams by every door, open and close
connections, and kill clients in mid-transfer, while the wire is slowed to a short queue that drops,
and taken away for moments. Every second the server's memory, descriptors, pools and counters are
noted. In the end every byte was right and the pools hold what they held before.
"""
import random
import subprocess
import threading
import time

import cells
import harness
import loads
import wire

POOLS = [f"kern.mbuf.{p}.nout" for p in ("mbufs", "mcl2k", "mcl4k", "jumbo")]
POOLS += [f"kern.pool.{p}.nout" for p in ("sockets", "files", "procs")] + ["kern.lwps"]
WATCHED = {"drops": "net.drop.", "tcp": "net.inet.tcp.stats."}
SETTLE_S = 30
SAMPLES = 200  # kept of each curve


class Soak:
    def __init__(self, lab, seconds, seed):
        self.lab, self.seconds, self.seed = lab, seconds, seed
        self.wire, self.server = lab.wires["default"], lab.stacks["default"]
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.counts = {"streams": 0, "bytes": 0, "wrong": 0, "connections": 0, "killed": 0,
                       "slowed": 0, "cut": 0}
        self.failures, self.samples = [], []

    def ends(self):
        vm = cells.VM
        self.lab.apply(self.server, {**vm.settings(), "sysproxy.vmcopy": 0})
        return {"sysproxy": self.server.endpoint, "fdsock": self.server.fdsock_endpoint()}

    def count(self, **more):
        with self.lock:
            for name, n in more.items():
                self.counts[name] += n

    def worker(self, work, *args):
        rng = random.Random(f"{self.seed} {work.__name__} {args[0] if args else ''}")
        while not self.stop.is_set():
            try:
                work(rng, *args)
            except (wire.Failed, OSError, ValueError) as e:
                with self.lock:
                    self.failures.append(f"{work.__name__}: {e}"[:500])
                return

    def streams(self, rng, door):
        """A checked exchange, both ways at once; the stack's side sends or listens in turn."""
        end, peer = self.ends_by_door[door], self.wire.linux("b")
        size, count = rng.choice((1, 100, 1448, 4096, 65536, 1 << 20)), rng.randint(1, 4 << 20)
        count = min(count, 4000 * size)
        pair = (end, peer) if rng.random() < 0.5 else (peer, end)
        got, sent = wire.transfer(*pair, "--verify", "-b", str(size), "-n", str(count), "--seed",
                                  str(rng.randint(1, 1 << 30)), limit_s=120)
        good = got["verified"] and sent[0]["verified"] and got["bytes"] == 2 * count
        self.count(streams=1, bytes=got["bytes"], wrong=0 if good else 1)

    def connects(self, rng, door):
        end, peer = self.ends_by_door[door], self.wire.linux("b")
        server, client = (end, peer) if rng.random() < 0.5 else (peer, end)
        got, _ = loads.pair(server, "accept", client, "connect", "-t", f"{rng.uniform(.2, 1):.3f}",
                            own_end=False)
        self.count(connections=got["count"])
        self.stop.wait(rng.uniform(0, 1))

    def kills(self, rng, door):
        """A client, or its peer, ends by SIGKILL with bytes under way."""
        end, peer = self.ends_by_door[door], self.wire.linux("b")
        sender, reader = (end, peer) if rng.random() < 0.5 else (peer, end)
        quiet = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        out = sender.popen("writeserver", "-a", sender.address, "-p", "0", **quiet,
                           stdout=subprocess.PIPE)
        into = None
        try:
            into = reader.popen("readclient", "-a", sender.address, "-p", wire.listening(out), "-t",
                                "30", **quiet, stdout=subprocess.DEVNULL)
            self.stop.wait(rng.uniform(0.05, 0.4))
            (out if rng.random() < 0.5 else into).kill()
            self.count(killed=1)
        finally:
            for process in (out, into):
                if process is not None:
                    process.kill()
                    process.wait()
            out.stdout.close()

    def weather(self, rng):
        """The wire slowed to a queue that drops, or cut for a moment, or as it was."""
        self.stop.wait(rng.uniform(0.5, 2))
        if rng.random() < 0.5:
            host = rng.choice(self.wire.hosts)
            host.tc("add", rate=f"{rng.randint(20, 300)}mbit", queue="3ms")
            self.count(slowed=1)
            self.stop.wait(rng.uniform(0.5, 3))
            host.tc("del")
        else:  # at the bridge: where Linux has its address, it would have no route for the moment
            self.wire.a.ip("link", "set", "wire", "down")
            self.count(cut=1)
            self.stop.wait(rng.uniform(0.02, 0.2))
            self.wire.a.ip("link", "set", "wire", "up")

    def sample(self, start):
        values = self.server.get()
        now = self.server.status() or {"rss_kib": 0, "fds": 0}
        now.update(at_s=round(time.monotonic() - start, 1),
                   pools=sum(values[p] for p in POOLS if p in values))
        for name, prefix in WATCHED.items():
            now[name] = sum(v for k, v in values.items() if k.startswith(prefix)
                            and isinstance(v, int))
        self.samples.append(now)

    def know_neighbour(self):
        """For Linux, for good: it takes a few lost ARP replies for a host that is not there."""
        words = self.wire.b.ip("neigh", "show", self.server.address, "dev", "wire").split()
        if "lladdr" in words:
            self.wire.b.ip("neigh", "replace", self.server.address, "dev", "wire", "lladdr",
                           words[words.index("lladdr") + 1], "nud", "permanent")

    def held(self):
        values = self.server.get(*POOLS)
        values["clusters"] = values.pop(POOLS[1]) + values.pop(POOLS[2])
        return values

    def run(self):
        self.ends_by_door = self.ends()
        self.wire.b.run(["ping", "-c", "1", "-q", self.server.address], stdout=-3, stderr=-3)
        self.know_neighbour()
        before, start = self.held(), time.monotonic()
        jobs = [(self.streams, "sysproxy"), (self.streams, "fdsock"), (self.connects, "sysproxy"),
                (self.connects, "fdsock"), (self.kills, "sysproxy"), (self.kills, "fdsock"),
                (self.weather,)]
        threads = [threading.Thread(target=self.worker, args=job, daemon=True) for job in jobs]
        for t in threads:
            t.start()
        while (time.monotonic() - start < self.seconds and self.server.alive()
               and not self.failures):
            self.sample(start)
            self.stop.wait(1)
        self.stop.set()
        for t in threads:
            t.join(150)
        if not self.server.alive():
            raise wire.Failed(f"the server died{self.server.state()}")
        settled = wire.wait_until(lambda: self.held() == before, SETTLE_S, 0.2)
        self.sample(start)
        leak = {} if settled else {k: [before[k], v] for k, v in self.held().items()
                                   if v != before[k]}
        return time.monotonic() - start, leak


def thin(samples):
    step = max(1, len(samples) // SAMPLES)
    return samples[::step] + ([samples[-1]] if samples and (len(samples) - 1) % step else [])


def measure(lab, seconds, seed):
    soak = Soak(lab, seconds, seed)
    took, leak = soak.run()
    rss = [s["rss_kib"] for s in soak.samples]
    tail = rss[len(rss) // 2:]
    key = {"seconds": seconds}
    more = {"counts": soak.counts, "took_s": took, "failures": soak.failures[:10], "leak": leak,
            "samples": thin(soak.samples), "seed": seed}
    return [harness.record("soak", {**key, "what": "streams not byte-exact, or broken"},
                           soak.counts["wrong"] + len(soak.failures), "of all", "lower", **more),
            harness.record("soak", {**key, "what": "pools not back"}, len(leak), "pools", "lower"),
            harness.record("soak", {**key, "what": "bytes checked"}, soak.counts["bytes"] / 2**20,
                           "MiB"),
            harness.record("soak", {**key, "what": "memory, second half"},
                           100 * (max(tail) - min(tail)) / max(1, min(tail)), "% grown", "lower")]


def plan(options):
    seconds = options.soak
    return [harness.Cell(f"soak of {seconds:g} s", seconds + 5,
                         lambda lab: measure(lab, seconds, options.seed))]


def stages():
    return [harness.Stage("soak", ("soak",), lambda o: cells.Lab(both=False), plan, rounds=1)]
