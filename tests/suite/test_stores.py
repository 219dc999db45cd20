#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Stores and their own load generators: redis, memcached, PostgreSQL; server on either side."""
# timeout: 600
import os
import re
import subprocess
import sys
import time

import libsuite
from libe2e import Skip, equal, expect, test
from libsuite import MIB, address_of, end, need, noise, other, site

MEMCACHED = """
import socket, sys, threading
host, port = sys.argv[1], int(sys.argv[2])
right = []
def one(i):
    s = socket.create_connection((host, port))
    f = s.makefile("rwb")
    n = 0
    for j in range(50):
        value = bytes([(i * 7 + j) % 251]) * (100 + 1777 * j)
        f.write(b"set k%d-%d 0 0 %d\\r\\n%s\\r\\n" % (i, j, len(value), value))
        f.flush()
        said = f.readline()
        n += said == b"STORED\\r\\n"
        if said != b"STORED\\r\\n":
            print(said)
    f.write(b"get " + b" ".join(b"k%d-%d" % (i, j) for j in range(5)) + b"\\r\\n")
    f.flush()
    for j in range(5):
        head = f.readline().split()
        n += f.read(int(head[3]) + 2)[:-2] == bytes([(i * 7 + j) % 251]) * (100 + 1777 * j)
    n += f.readline() == b"END\\r\\n"
    right.append(n)
threads = [threading.Thread(target=one, args=(i,)) for i in range(40)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sum(right))
"""


@test("redis and redis-benchmark: single and pipelined commands, a value of 20 MiB byte for byte")
def redis():
    server, _, _ = need("redis-server", "redis-cli", "redis-benchmark")
    for side in ("stack", "linux"):
        with site() as s:
            where = ["-h", address_of(side), "-p", "6379"]
            process = s.start(side, [server, "--bind", address_of(side), "--save", "",
                                     "--protected-mode", "no", "--dir", s.folder])
            s.reachable(address_of(side), 6379, process)
            value = noise(20 * MIB)
            s.must(other(side), ["redis-cli", *where, "-x", "SET", "big"], input=value)
            got = s.must(other(side), ["redis-cli", *where, "--raw", "GET", "big"]).raw
            expect(got == value + b"\n", f"server on {side}: {len(got)} bytes came back")
            for options in ([], ["-P", "16"]):
                done = s.must(other(side), ["redis-benchmark", *where, "-n", "20000", "-c", "50",
                                            "-t", "set,get,lpush", "--csv", *options])
                expect("rror" not in done.out + done.errors, str(done))
                rates = re.findall(r'^"(SET|GET|LPUSH)[^"]*","([\d.]+)"', done.out, re.M)
                equal([r[0] for r in rates], ["SET", "GET", "LPUSH"], "what was measured")
                print(f"# redis on {side} {' '.join(options)}: " +
                      ", ".join(f"{name} {float(rate):.0f}/s" for name, rate in rates))
            expect(process.poll() is None, s.log(process))


@test("memcached: 40 clients at once, values of 100 to 87,000 bytes, multi-get")
def memcached():
    (path,) = need("memcached")
    for side in ("stack", "linux"):
        with site() as s:
            process = s.start(side, [path, "-l", address_of(side), "-p", "11211", "-u", "root",
                                     "-t", "4", "-m", "512", "-U", "0"])
            s.reachable(address_of(side), 11211, process)
            begun = time.monotonic()
            done = s.must(other(side), [sys.executable, "-c", MEMCACHED, address_of(side),
                                        "11211"])
            print(f"# memcached on {side}: {40 * 51 / (time.monotonic() - begun):.0f} commands/s")
            equal(done.out.strip(), str(40 * 56), f"server on {side}: right answers")
            expect(process.poll() is None, s.log(process))


def postgres_tools():
    versions = sorted(os.listdir("/usr/lib/postgresql")) if os.path.isdir("/usr/lib/postgresql") \
        else []
    if not versions or os.getuid() != 0:
        raise Skip("PostgreSQL is not installed" if not versions else "PostgreSQL needs a user "
                   "of its own, so this has to be run as root")
    need("setpriv")
    return f"/usr/lib/postgresql/{versions[-1]}/bin"


@test("PostgreSQL and pgbench: 8 clients, transactions that all succeed, 20 MiB by COPY")
def postgres():
    tools = postgres_tools()
    user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    if subprocess.run([*user, "true"], check=False, stderr=libsuite.NONE).returncode != 0:
        raise Skip("there is no user postgres")
    for side in ("stack", "linux"):
        with site() as s:
            data = s.path("pg")
            os.mkdir(data)
            os.chmod(s.folder, 0o755)
            os.chmod(s.control, 0o666)
            subprocess.run(["chown", "postgres:postgres", data], check=True)
            s.must("linux", [*user, f"{tools}/initdb", "-D", data, "-A", "trust", "-N"])
            with open(f"{data}/pg_hba.conf", "a", encoding="ascii") as f:
                f.write("host all all 10.73.0.0/24 trust\n")
            process = s.start(side, [*user, f"{tools}/postgres", "-D", data, "-k", data, "-F",
                                     "-c", f"listen_addresses={address_of(side)}"])
            s.reachable(address_of(side), 5432, process)
            where = ["-h", address_of(side), "-U", "postgres"]
            pgbench = [f"{tools}/pgbench", *where]
            s.must(other(side), [*pgbench, "-i", "-q", "postgres"])
            done = s.must(other(side), [*pgbench, "-c", "8", "-j", "2", "-T", "4", "postgres"])
            print(f"# PostgreSQL on {side}: " + re.search(r"tps = [\d.]+", done.out).group(0))
            expect(re.search(r"failed transactions: 0 ", done.out), str(done))
            done = s.must(other(side), [*pgbench, "-C", "-c", "4", "-S", "-t", "100", "postgres"])
            expect(re.search(r"failed transactions: 0 ", done.out), str(done))
            copied = s.must(other(side), [f"{tools}/psql", *where, "-c",
                            "COPY (SELECT g, repeat('x', 200) FROM generate_series(1, 100000) g) "
                            "TO STDOUT"]).out
            equal((copied.count("\n"), len(copied)), (100000, 100000 * 202 + 488895), "COPY")
            expect(process.poll() is None, s.log(process))
            end(process)


if __name__ == "__main__":
    sys.exit(libsuite.main())
