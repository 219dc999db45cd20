#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""ssh and scp with sshd; names by dig and the C library; what ping gets."""
# timeout: 300
import os
import subprocess
import sys

import libsuite
from libe2e import Skip, equal, expect, test
from libsuite import LINUX, MIB, address_of, digest, need, noise, other, site

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
            s.must(other(side), [*scp, s.path("data"), f"{to}:{s.path('up')}"], 90)
            s.must(other(side), [*scp, f"{to}:{s.path('up')}", s.path("down")], 90)
            equal(digest(s.path("up")), digest(s.path("data")), f"sshd on {side}: scp there")
            equal(digest(s.path("down")), digest(s.path("data")), f"sshd on {side}: scp back")


DNS = """
import socket, sys, threading
def answer(q):
    end = 12
    while q[end]:
        end += q[end] + 1
    kind = int.from_bytes(q[end + 1:end + 3], "big")
    question = q[12:end + 5]
    found = kind == 1 and b"rumpus" in question
    record = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\xc0\\0\\2\\x2a" if found else b""
    return q[:2] + b"\\x85\\x80\\0\\1" + (b"\\0\\1" if found else b"\\0\\0") + bytes(4) + \\
        question + record
def streams():
    t = socket.create_server((sys.argv[1], 53))
    while True:
        c, _ = t.accept()
        f = c.makefile("rwb")
        while len(n := f.read(2)) == 2:
            a = answer(f.read(int.from_bytes(n, "big")))
            f.write(len(a).to_bytes(2, "big") + a)
            f.flush()
        c.close()
threading.Thread(target=streams, daemon=True).start()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind((sys.argv[1], 53))
while True:
    q, peer = u.recvfrom(2000)
    u.sendto(answer(q), peer)
"""


def names(s, side):
    process = s.start(side, [sys.executable, "-c", DNS, address_of(side)])
    s.reachable(address_of(side), 53, process)


@test("dig: a name by UDP and by TCP, from either side")
def dig():
    need("dig")
    for side in ("stack", "linux"):
        with site() as s:
            names(s, side)
            for option in ("+notcp", "+tcp"):
                done = s.must(other(side), ["dig", "+short", "+tries=1", "+time=5", option,
                                            f"@{address_of(side)}", "www.rumpus.test"])
                equal(done.out.strip(), "192.0.2.42", f"server on {side} {option}: {done}")
            done = s.must("stack" if side == "linux" else "linux",
                          ["dig", "+noedns", "+tries=1", "+time=5", f"@{address_of(side)}",
                           "www.example.test"])
            expect("ANSWER: 0" in done.out and "NOERROR" in done.out, done.out)


@test("getaddrinfo: the C library still finds names; its own sockets are the host's")
def resolver():
    need("getent")
    with site() as s:
        names(s, "linux")
        conf = s.file("resolv.conf", f"nameserver {LINUX}\n")
        equal(subprocess.run(["mount", "--bind", conf, "/etc/resolv.conf"],
                             check=False).returncode, 0, "exit status of mount")
        counter = "fdsock.stats.dgrams_out"
        try:
            before = s.server.get(counter)[counter]
            done = s.must("stack", ["getent", "ahostsv4", "host.rumpus.test"])
            after = s.server.get(counter)[counter]
        finally:
            subprocess.run(["umount", "/etc/resolv.conf"], check=True)
        expect(done.out.startswith("192.0.2.42"), str(done))
        print(f"# answers that the stack carried: {after - before}")


@test("ping: a program's ICMP sockets are the host's or refused; it ends and says why")
def ping():
    need("ping")
    with site() as s:
        done = s.run("stack", ["ping", "-c", "1", "-W", "2", LINUX], 20)
        print(f"# ping under rumpus run: status {done.status}: "
              + " ".join((done.errors or done.out).split())[:200])
        expect(done.status != 0 and done.errors.strip(), f"silent: {done}")


if __name__ == "__main__":
    sys.exit(libsuite.main())
