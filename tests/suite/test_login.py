#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""ssh and scp with sshd; names by dig and the C library; what ping gets."""
# timeout: 300
import os
import shutil
import subprocess
import sys
import time

import libsuite
import libe2e
from libe2e import Skip, equal, expect, test
from libsuite import LINUX, MIB, STACK, address_of, digest, need, noise, other, site

SSHD = """
Port 2222
ListenAddress {address}
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
PasswordAuthentication no
Subsystem sftp internal-sftp
"""


def sshd(s, side):
    """Starts it. => the options of ssh and scp to reach it"""
    path, _ = need("sshd", "ssh-keygen")
    if os.getuid() != 0:
        raise Skip("sshd needs root")
    os.makedirs("/run/sshd", exist_ok=True)
    for key in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.path(key)],
                       check=True)
    s.file("sshd_config", SSHD.format(folder=s.folder, address=address_of(side)))
    process = s.start(side, [path, "-D", "-e", "-f", s.path("sshd_config")])
    s.reachable(address_of(side), 2222, process)
    return process, ["-F", "none", "-i", s.path("key"), "-o", "StrictHostKeyChecking=no", "-o",
                     "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o",
                     "LogLevel=ERROR"]


@test("ssh, scp and sshd: 100 MiB there and back byte for byte, exit status, a session's pipe")
def ssh():
    need("ssh", "scp", "sshd")
    for side in ("stack", "linux"):
        with site() as s:
            process, options = sshd(s, side)
            to = f"root@{address_of(side)}"
            done = s.run(other(side), ["ssh", *options, "-p", "2222", to, "echo $0; exit 42"])
            equal(done.status, 42, f"sshd on {side}: exit status: {done} {s.log(process)}")
            data = noise(MIB)
            done = s.must(other(side), ["ssh", *options, "-p", "2222", to, "cat"], input=data)
            expect(done.raw == data, f"sshd on {side}: {len(done.raw)} bytes through cat")
            s.file("data", noise(100 * MIB))
            scp = ["scp", *options, "-P", "2222"]
            begun = time.monotonic()
            s.must(other(side), [*scp, s.path("data"), f"{to}:{s.path('up')}"], 90)
            s.must(other(side), [*scp, f"{to}:{s.path('up')}", s.path("down")], 90)
            print(f"# sshd on {side}: {200 / (time.monotonic() - begun):.0f} MiB/s by scp")
            equal(digest(s.path("up")), digest(s.path("data")), f"sshd on {side}: scp there")
            equal(digest(s.path("down")), digest(s.path("data")), f"sshd on {side}: scp back")


DNS = os.path.join(os.path.dirname(os.path.abspath(libe2e.__file__)), "dnsserver.py")


def names(s, side):
    """A DNS server on that side."""
    process = s.start(side, [sys.executable, DNS, address_of(side), s.path("dns.log")])
    s.reachable(address_of(side), 53, process)


@test("dig: a name by UDP and by TCP, from either side")
def dig():
    need("dig")
    for side in ("stack", "linux"):
        with site() as s:
            names(s, side)
            for option in ("+notcp", "+tcp"):
                done = s.must(other(side), ["dig", "+short", "+tries=1", "+time=5", option,
                                            f"@{address_of(side)}", "host.rumpus.test"])
                equal(done.out.strip(), "192.0.2.42", f"server on {side} {option}: {done}")
            done = s.must("stack" if side == "linux" else "linux",
                          ["dig", "+noedns", "+tries=1", "+time=5", f"@{address_of(side)}",
                           "www.example.test"])
            expect("ANSWER: 0" in done.out and "NXDOMAIN" in done.out, done.out)


URL = "http://web.rumpus.test:8000/names"
BY_NAME = {
    "getent": ["ahostsv4", "web.rumpus.test"],
    "curl": ["-sSf", "-m", "20", URL],
    "wget": ["-q", "-T", "20", "-t", "1", "-O", "-", URL],
    "python3": ["-c", f"import urllib.request as u; print(u.urlopen('{URL}').read().decode())"],
    "node": ["-e", f"require('http').get('{URL}', r => r.pipe(process.stdout))"],
    "nc": ["-z", "-w", "5", "web.rumpus.test", "8000"],
    "socat": ["-u", "-T", "5", "TCP:web.rumpus.test:8000", "-"],
    "ssh": ["-F", "none", "-p", "8000", "web.rumpus.test"],
}
SAYS = {"getent": LINUX, "nc": "", "socat": "", "ssh": ""}


@test("names: " + ", ".join(BY_NAME) + " find a Linux server by name, asking over the stack")
def resolver():
    need("getent", "curl", "python3")
    with site() as s:
        names(s, "linux")
        s.file("names", "found by name")
        resolv = s.file("resolv.conf", f"nameserver {LINUX}\n")
        web = s.start("linux", [sys.executable, "-m", "http.server", "8000", "-b", LINUX],
                      cwd=s.folder)
        s.reachable(LINUX, 8000, web)
        missing = [name for name in BY_NAME if shutil.which(name) is None]
        for name in BY_NAME.keys() - missing:
            open(s.path("dns.log"), "w", encoding="ascii").close()
            done = s.run("stack", [name, *BY_NAME[name]], options=["--resolv", resolv])
            expect(SAYS.get(name, "found by name") in done.out, f"{name}: {done}")
            expect(name in ("socat", "ssh") or done.status == 0, f"{name}: {done}")
            with open(s.path("dns.log"), encoding="ascii") as f:
                equal({line.split()[0] for line in f}, {STACK}, f"{name}: who asked")
        print("# " + (f"not installed: {' '.join(missing)}" if missing else "all of them"))


ICMP = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)"


@test("ping: either side answers the other, 56 to 20,000 bytes; a host that is not there")
def ping():
    need("ping")
    with site() as s:
        if s.run("stack", [sys.executable, "-c", ICMP]).status != 0:
            done = s.run("stack", ["ping", "-c", "1", "-W", "2", LINUX], 20)
            expect(done.status != 0 and done.errors.strip(), f"silent: {done}")
            raise Skip(f"the stack has no ICMP sockets; ping says: {done.errors.splitlines()[0]}")
        for side in ("stack", "linux"):
            for size in ("56", "1472", "1473", "20000"):
                done = s.must(side, ["ping", "-c", "3", "-i", "0.2", "-W", "5", "-s", size,
                                     address_of(other(side))])
                expect(" 3 received" in done.out and "wrong data" not in done.out, str(done))
            print(f"# ping on {side}: " + done.out.strip().splitlines()[-1])
        done = s.run("stack", ["ping", "-c", "1", "-W", "1", "10.73.0.99"], 20)
        equal(done.status, 1, f"nobody there: {done}")
        done = s.run("stack", ["ping", "-c", "1", "-W", "1", "192.0.2.1"], 20)
        expect(done.status != 0, f"no route: {done}")


if __name__ == "__main__":
    sys.exit(libsuite.main())
