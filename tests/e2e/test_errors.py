#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What goes wrong is said in one line with advice and the right status; what ends leaves nothing."""
import json
import os
import re
import signal
import subprocess
import sys

import libe2e
import wire
from libe2e import equal, expect, test

NONE, PIPE = subprocess.DEVNULL, subprocess.PIPE
LINE = r"{}: [^\n]+: [^\n]+; try: [^\n]+\n"
GOOD = ["-i", "tap:tap0,addr=10.73.0.1/24"]


def run(host, name, *args, env=None, limit_s=20):
    return host.run([wire.program(name), *args], stdin=NONE, stdout=PIPE, stderr=PIPE, text=True,
                    env={**os.environ, **(env or {})}, timeout=limit_s)


def complains(done, status, name, about):
    """One line, in the house's form, that names what was wrong."""
    equal(done.returncode, status, f"exit status ({done.stderr.strip()})")
    expect(re.fullmatch(LINE.format(name), done.stderr), f"not of the form: {done.stderr!r}")
    expect(about in done.stderr, f"does not name {about}: {done.stderr!r}")
    equal(done.stdout, "", "standard output")


@test("rumpusd that cannot start: status 1, what, why and what to try")
def cannot_start():
    with wire.Wire() as w:
        w.server("a")
        door = ["--sysproxy", f"unix://{w.folder}/x.sock"]
        for about, args in (
                ("tap0", ["-f", *GOOD, *door]),  # the one above has it
                ("wire", ["-f", "-i", "tap:wire", *door]),
                ("much-too-long-a-name", ["-f", "-i", "tap:much-too-long-a-name", *door]),
                ("/nowhere/x", ["-f", "--sysproxy", "unix:///nowhere/x"]),
                (w.servers[0].url, ["-f", "--sysproxy", w.servers[0].url]),
                ("x" * 200, ["-f", "--sysproxy", "unix:///" + "x" * 200]),
                ("http://x", ["-f", "--sysproxy", "http://x"]),
                ("tcp://1.2.3.4:99", ["-f", "--sysproxy", "tcp://1.2.3.4:99"]),
                ("tcp://127.0.0.1:x", ["-f", "--sysproxy", "tcp://127.0.0.1:x"]),
                ("kern.no.such", ["-f", "-o", "kern.no.such=1"]),
                ("mclbytes", ["-f", "-o", "kern.mbuf.mclbytes=3000"]),
                ("copyins", ["-f", "-o", "kern.copy.copyins=1"]),
                ("10.0.0.0/99", ["-f", "-i", "tap:tapx,addr=10.0.0.0/99", *door]),
                ("9.9.9.9", ["-f", "-i", "tap:tapx,addr=10.1.0.1/24,gw=9.9.9.9", *door])):
            complains(run(w.a, "rumpusd", *args), 1, "rumpusd", about)
            expect(not os.path.exists(f"{w.folder}/x.sock"), f"{about}: a socket file is left")
        expect("tapx" not in w.a.ip("link"), "an interface is left")
        libe2e.server_alive(w.servers[0])


@test("rumpusd in the background that cannot start says so too")
def background():
    with wire.Wire() as w:
        done = run(w.a, "rumpusd", "-i", "tap:wire", "--sysproxy", f"unix://{w.folder}/x.sock")
        complains(done, 1, "rumpusd", "wire")


@test("rumpusd used wrongly: status 2")
def usage():
    with wire.Wire() as w:
        for args in (["--nonsense"], ["-i"], ["-i", "tap"], ["-i", "eth:eth0"],
                     ["-i", "tap:t,colour=red"], ["-i", "tap:t,mtu=1"], ["-o", "novalue"],
                     ["-i", "tap:t,mtu=-18446744073709550116"], ["-i", "tap:t,mac=-2:0:0:0:0:2"],
                     ["--threads", "-18446744073709551614"], ["--ready-fd", "+9"], ["--ready-fd", "x"], ["stray"], ["-c", "/nowhere"]):
            done = run(w.a, "rumpusd", *args)
            equal(done.returncode, 2, f"exit status of {args} ({done.stderr.strip()})")
            expect("; try: " in done.stderr, f"{args}: no advice: {done.stderr!r}")


@test("--check takes what is right, refuses what is not, and starts nothing")
def check():
    with wire.Wire() as w:
        config = f"{w.folder}/rumpusd.conf"
        with open(config, "w", encoding="ascii") as f:
            f.write(f"[server]\ninterface = tap:tapc,addr=10.1.0.1/24\n"
                    f"sysproxy = unix://{w.folder}/c.sock\n[sysctl]\nkern.mbuf.mclnum = 4\n")
        done = run(w.a, "rumpusd", "--check", "-c", config)
        equal((done.returncode, done.stderr), (0, ""), "a good configuration")
        expect("tapc" not in w.a.ip("link"), "an interface was made")
        expect(not os.path.exists(f"{w.folder}/c.sock"), "a socket was made")
        equal(run(w.a, "rumpusd", "--check", "-o", "kern.mbuf.mclnum=0").returncode, 1, "a bad value")
        with open(config, "a", encoding="ascii") as f:
            f.write("[server]\ncolour = red\n")
        done = run(w.a, "rumpusd", "--check", "-c", config)
        equal(done.returncode, 2, "a bad configuration")
        expect("colour" in done.stderr, f"does not name it: {done.stderr!r}")
        for option in ("--help", "--version"):
            done = run(w.a, "rumpusd", option)
            expect(done.returncode == 0 and done.stdout and not done.stderr, option)


@test("Ctrl-C, TERM and HUP end rumpusd with 0 and leave neither interface nor socket file")
def ctrl_c():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with wire.Wire() as w:
            w.a.ip("link", "del", "tap0")
            server = w.server("a")  # makes its tap itself
            path = server.url.removeprefix("unix://")
            expect("tap0" in w.a.ip("link") and os.path.exists(path), "not started")
            server.process.send_signal(number)
            equal(server.process.wait(20), 0, f"exit status after {number.name}")
            expect("tap0" not in w.a.ip("link"), f"{number.name}: its interface is left")
            expect(not os.path.exists(path), f"{number.name}: its socket file is left")


@test("a server that was killed is replaced on the same socket file; one that lives is not")
def stale():
    with wire.Wire() as w:
        first = w.server("a")
        first.process.kill()
        first.process.wait()
        expect(os.path.exists(first.url.removeprefix("unix://")), "nothing to test: no file")
        second = w.server("a", url=first.url)
        expect(second.get("kern.mbuf.mclnum"), "the second does not answer")


@test("clients of a server that is killed end with an error, at once")
def server_killed():
    with wire.Wire() as w:
        server = w.server("a")
        writer = server.endpoint.popen("writeserver", "-p", "0", stdout=PIPE, stderr=PIPE)
        wire.listening(writer)
        server.process.kill()
        _, errors = writer.communicate(timeout=10)
        equal(writer.returncode, 1, "exit status of a program in accept()")
        expect("Network is down" in errors, f"its words: {errors!r}")


@test("rumpus: status 0 ok, 1 refused, 2 wrong usage, 3 no server")
def rumpus():
    with wire.Wire() as w:
        server = w.server("a")
        where = ["-s", server.url]
        done = run(w.a, "rumpus", *where, "sysctl", "kern.mbuf.mclnum=8", "kern.mbuf.mclnum")
        equal((done.returncode, done.stdout), (0, "kern.mbuf.mclnum = 8\n"), "setting")
        done = run(w.a, "rumpus", "-s", server.url.removeprefix("unix://"), "-j", "sysctl")
        everything = json.loads(done.stdout)
        equal(everything["kern.mbuf.mclnum"], 8, "as JSON, by path")
        stats = json.loads(run(w.a, "rumpus", *where, "stats", "-j").stdout)
        expect(all(stats.values()) and set(stats) < set(everything), "stats: zeros, or unknown ones")
        expect("kern.mbuf.mclnum" not in stats and "sysproxy.stats.calls" in stats, "stats")
        for name in ("no.such", "no.such=1", "kern.copy.copyins=1", "kern.mbuf.mclnum=0",
                     "kern.mbuf.mclnum=x", "kern.mbuf.mclnum=99999999999"):
            complains(run(w.a, "rumpus", *where, "sysctl", name), 1, "rumpus", name.split("=")[0])
        for args in ([], ["nonsense"], ["sysctl", "--nonsense"], ["--nonsense"]):
            equal(run(w.a, "rumpus", *where, *args).returncode, 2, f"exit status of {args}")
        for args in (["-s", "unix:///nowhere", "stats"], ["-s", "what://x", "stats"], ["stats"]):
            done = run(w.a, "rumpus", *args, env={"RUMP_SERVER": ""})
            equal(done.returncode, 3, f"exit status of {args} ({done.stderr.strip()})")
            expect(re.fullmatch(LINE.format("rumpus"), done.stderr), f"{args}: {done.stderr!r}")


@test("the study's pair: status 1 with its reason, 2 for wrong usage")
def pair():
    with wire.Wire() as w:
        server = w.server("a")
        env = server.endpoint.env
        for suffix in ("", "-rump"):
            name = "readclient" + suffix
            done = run(w.a, name, "-a", wire.LINUX_B, "-p", "9", env=env)
            complains(done, 1, name, f"{wire.LINUX_B}:9: Connection refused")
            for args in ([], ["-a", "x", "-p", "1"], ["-a", "1.2.3.4", "-p", "1", "-b", "0"],
                         ["-a", "1.2.3.4", "-p", "1", "-t", "1", "--verify"]):
                done = run(w.a, name, *args, env=env)
                equal(done.returncode, 2, f"{name} {args}: {done.stderr.strip()}")
            name = "writeserver" + suffix
            done = run(w.a, name, "-a", "9.9.9.9", "-p", "0", env=env)
            complains(done, 1, name, "9.9.9.9:0")
        done = run(w.a, "writeserver-rump", "-p", "0", env={"RUMP_SERVER": "unix:///nowhere"})
        equal(done.returncode, 1, "without a server")
        expect("; try: " in done.stderr, done.stderr)


def ours():
    """Processes of this namespace but ourselves."""
    own = {os.getpid(), 1}
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if int(pid) not in own and words:
            found.append(words)
    return found


@test("a demo that is interrupted, terminated or killed leaves no process and no namespace")
def demo_ended():
    if ours():
        raise libe2e.Skip("/proc shows other processes")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        for lines in (0, 1, 2):  # during set-up; while it measures
            demo = subprocess.Popen([f"{wire.ROOT}/bench/demo"], stdin=NONE, stdout=NONE,
                                    stderr=PIPE, env={**os.environ, "RUMPUS_BUILD": wire.BUILD})
            for _ in range(lines):
                demo.stderr.readline()
            if lines == 0:
                wire.wait_until(lambda: any("rumpusd" in p for p in ours()), 10, 0.005)
            demo.send_signal(number)
            status = demo.wait(20)
            expect(status in (-number, 128 + number), f"exit status {status} after {number.name}")
            expect(wire.wait_until(lambda: not ours(), 10), f"{number.name}: left: {ours()}")
            equal(os.listdir("/run/netns"), [], "namespaces left")
            demo.stderr.close()


if __name__ == "__main__":
    sys.exit(libe2e.main())
