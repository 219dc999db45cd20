# SPDX-License-Identifier: BSD-2-Clause
"""What the end-to-end tests share: TAP, the wire, and a server's state before and after.

A test is a function with @test("what holds"); it fails by an exception. main() runs them inside
namespaces of their own, or skips them all where the machine does not allow any.
"""
import os
import sys
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))
import wire

_tests = []

_POOLS = [f"kern.mbuf.{p}.nout" for p in ("mbufs", "mcl2k", "mcl4k", "jumbo")]
_POOLS += [f"kern.pool.{p}.nout" for p in ("sockets", "files", "procs")] + ["kern.lwps"]


class Skip(Exception):
    pass


def test(name):
    def add(function):
        _tests.append((name, function))
        return function
    return add


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def equal(got, want, what):
    expect(got == want, f"{what}: {got!r}, not {want!r}")


def held(server):
    """What is out of the server's pools, the clusters of either size as one."""
    now = {name.removesuffix(".nout").split(".")[-1]: n for name, n in server.get(*_POOLS).items()}
    now["clusters"] = now.pop("mcl2k") + now.pop("mcl4k")
    return now


def baseline(server, peer):
    """What an idle server holds. The tap's buffer for the next frame is there after the first."""
    done = peer.run(["ping", "-c", "1", "-q", server.address], stdout=-3, stderr=-3)
    equal(done.returncode, 0, "exit status of ping")
    return held(server)


def settled(server, before, limit_s=15):
    """The pools hold again what they held before; polled, as connections take a moment to end."""
    now = {}

    def same():
        now.update(held(server))
        return now == before
    expect(wire.wait_until(same, limit_s, 0.05), "pools did not come back: " + ", ".join(
        f"{k} {before[k]} -> {v}" for k, v in now.items() if v != before[k]))


def server_alive(server):
    expect(server.alive(), f"the server died{server.state()}")


def _run_one(number, name, function):
    try:
        function()
        print(f"ok {number} - {name}")
        return True
    except Skip as e:
        print(f"ok {number} - {name} # SKIP {e}")
        return True
    except Exception as e:
        kind = "" if isinstance(e, (AssertionError, wire.Failed)) else traceback.format_exc()
        print(f"not ok {number} - {name}")
        for line in f"{e}\n{kind}".strip().splitlines():
            print(f"# {line}")
        return False


def main():
    """Runs the tests of the file that calls; those named on the command line, or all."""
    chosen = [t for t in _tests if not sys.argv[1:] or any(a in t[0] for a in sys.argv[1:])]
    try:
        for name in ("rumpusd", "rumpus"):
            wire.program(name)
        wire.enter()
    except wire.Unavailable as e:
        print(f"1..0 # SKIP {e}")
        return 0
    print(f"1..{len(chosen)}")
    results = [_run_one(i, *t) for i, t in enumerate(chosen, 1)]
    return 0 if all(results) else 1
