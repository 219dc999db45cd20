#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""rumpus ss: each socket of the server once, with its state, queues, ends and estimates."""
import contextlib
import json
import subprocess
import sys

import libe2e
import wire
from libe2e import equal, expect, test

LIMIT_S = 40
TEXT = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
        "text": True}

# A listener with one connection accepted and one that waits, 1000 bytes that nobody reads, and
# datagram sockets; it says the ports and holds all until its input ends.
HOLDER = """
import json, socket, sys
head = socket.create_server(("127.0.0.1", 0), backlog=5)
out = [socket.create_connection(head.getsockname()) for _ in range(2)]
conn = head.accept()[0]
out[0].sendall(b"x" * 1000)
dgrams = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(int(sys.argv[1]))]
for d in dgrams:
    d.bind(("127.0.0.1", 0))
dgrams[0].connect(("127.0.0.1", 9))
print(json.dumps({"listener": head.getsockname()[1],
                  "peers": [s.getsockname()[1] for s in out],
                  "dgrams": [d.getsockname()[1] for d in dgrams]}), flush=True)
sys.stdin.read()
"""


class Rig:
    def __init__(self, stack, *options, dgrams=1, holder=HOLDER, **kw):
        self.wire = stack.enter_context(wire.Wire(**kw))
        self.control = f"{self.wire.folder}/control.sock"
        self.server = self.wire.server("a", "--control", self.control, *options)
        self.holder = subprocess.Popen(
            [wire.program("rumpus"), "-s", self.control, "run", "--all", "--",
             sys.executable, "-c", holder, str(dgrams)], **TEXT)
        stack.callback(self.end)
        line = self.holder.stdout.readline()
        expect(line, f"the program ended: {'' if line else self.holder.stderr.read()}")
        self.ports = json.loads(line)

    def end(self):
        if self.holder.poll() is None:
            self.holder.kill()
        self.holder.communicate()

    def ss(self, *words, status=0):
        done = subprocess.run([wire.program("rumpus"), "-s", self.control, "ss", *words],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False)
        equal(done.returncode, status, f"exit status of ss {words} ({done.stderr})")
        return done.stdout if status == 0 else done.stderr

    def rows(self, *words):
        return [json.loads(line) for line in self.ss("-j", *words).splitlines()]


@contextlib.contextmanager
def rig(*options, **kw):
    with contextlib.ExitStack() as stack:
        yield Rig(stack, *options, **kw)


@test("states, queues and ends, as lines and as JSON; filters; the process")
def shown():
    with rig() as r:
        port, first = r.ports["listener"], r.ports["peers"][0]
        head, line = r.ss("-tln").splitlines()
        expect(head.startswith("Netid State"), f"headings: {head}")
        equal(line.split(), ["tcp", "LISTEN", "1", "5", f"127.0.0.1:{port}", "0.0.0.0:*"],
              "the listener")
        conns = r.rows("-tn")
        equal(len(conns), 4, "both ends of two connections")
        equal({c["state"] for c in conns}, {"ESTAB"}, "states")
        conn, = r.rows("-t", "sport", "=", f":{port}", "and", "dport", "=", f":{first}")
        expect(conn["recv_q"] >= 1000, f"unread bytes: {conn}")
        equal((conn["local"], conn["peer"], conn["send_q"]), ("127.0.0.1", "127.0.0.1", 0), "ends")
        expect(wire.wait_until(lambda: not r.rows("-t", f"sport = :{first}")[0]["send_q"], 10),
               "the ACK did not come")
        out, = r.rows("-ti", f"sport = :{first}")
        equal((out["bytes_sent"], out["bytes_acked"]), (1000, 1000), f"TCP_INFO {out}")
        expect(out["rtt_us"] > 0 and out["cwnd"] > 0 and out["mss"] > 0 and out["congestion"],
               f"estimates: {out}")
        expect(" rtt:" in r.ss("-ti", f"sport = :{first}"), "no TCP_INFO in lines")
        dgram, = r.rows("-u")
        equal((dgram["state"], dgram["pport"]), ("ESTAB", 9), "the datagram socket")
        pids = {row["pid"] for row in r.rows("-ta")}
        equal(len(pids), 1, "processes")
        expect("pid=" in r.ss("-tlp"), "no process")
        equal(r.rows("-ta", "state", "time-wait"), [], "TIME-WAIT")
        equal(len(r.rows("-t", "exclude", "established")), 1, "all but connections")
        equal(len(r.rows("-ta", f"not ( sport = :{port} or dport = :{port} )")), 0, "others")
        equal(len(r.rows("-ta", "src", "127.0.0.0/8")), 5, "by network")
        equal(len(r.rows("-ta", "dst", "10.0.0.0/8")), 0, "by another")
        expect("TCP: 5  ESTAB 4  LISTEN 1" in r.ss("-s"), f"summary: {r.ss('-s')}")


# A listener of both families and one of IPv6 alone, with a connection of each family.
HOLDER6 = """
import json, socket, sys
both, six = [socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=dual)
             for dual in (True, False)]
four = socket.create_connection(("127.0.0.1", both.getsockname()[1]))
held = [both.accept()[0], socket.create_connection(("::1", six.getsockname()[1])), six.accept()[0]]
print(json.dumps({"both": both.getsockname()[1], "six": six.getsockname()[1]}), flush=True)
sys.stdin.read()
"""


@test("IPv6: brackets, mapped addresses, wildcards of both families and of one; -4, -6, filters")
def six():
    with rig(holder=HOLDER6) as r:
        both, alone = r.ports["both"], r.ports["six"]
        lines = {line.split()[4]: line.split()[5] for line in r.ss("-tlnH").splitlines()}
        equal(lines, {f"*:{both}": "*:*", f"[::]:{alone}": "[::]:*"}, "listeners")
        ends = {line.split()[4] for line in r.ss("-tnH", "sport", "=", f":{both}").splitlines()}
        equal(ends, {f"[::ffff:127.0.0.1]:{both}"}, "a mapped one")
        equal(len(r.rows("-t6", "src", "[::1]:*")), 2, "both ends of the connection of IPv6")
        equal(len(r.rows("-t", "src", f"[::1]:{alone}")), 1, "the one that was accepted")
        equal(len(r.rows("-t", "src", "::/0")), 3, "of IPv6 and mapped")
        equal(len(r.rows("-t4")), 1, "of IPv4")
        equal(len(r.rows("-t", "src", "127.0.0.0/8")), 2, "of IPv4 and mapped")
        row, = r.rows("-t", "sport", "=", f":{both}")
        equal((row["local"], row["peer"]), ("::ffff:127.0.0.1",) * 2, "JSON")


@test("what ss does not understand it says, by exit status 2")
def refused():
    with rig() as r:
        for words in (("-x",), ("src", "[::1"), ("src", "::1/129"), ("state", "none"), ("sport", "=", ":x-y"), ("nonsense",),
                      ("(", "sport", "=", ":1"), ("dst", "1.2.3"), ("src", "<", "10.0.0.1")):
            expect(r.ss(*words, status=2).startswith("rumpus: ss: "), f"{words}")
        for prefix, most in (("10.0.0.0/4294967304", 32), ("10.0.0.0/-1", 32), ("10.0.0.0/+8", 32),
                             ("::/129", 128), ("::/18446744073709551624", 128)):
            expect(f"a length is 0 to {most}" in r.ss("src", prefix, status=2), prefix)
        for port in ("65536", "4294967376", "-18446744073709551536"):
            expect("no port" in r.ss("sport", "=", f":{port}", status=2), port)
        r.control += "x"
        expect(r.ss(status=3).startswith("rumpus: server: "), "no server")


@test("more sockets than one record holds, in a server of two stacks: each once")
def many():
    with rig("--threads", "2", kind=("multi_queue",), dgrams=700) as r:
        rows = r.rows("-uan", "state", "closed")
        equal(sorted(row["lport"] for row in rows), sorted(r.ports["dgrams"][1:]), "ports")
        equal(len(r.rows("-tl")), 1, "the listener has twins, which are not shown")
        equal(len(r.rows("-a")), 705, "all")
        r.end()
        expect(wire.wait_until(lambda: not r.rows("-a", "exclude", "time-wait"), 10),
               "sockets are left")
        libe2e.server_alive(r.server)


if __name__ == "__main__":
    sys.exit(libe2e.main())
