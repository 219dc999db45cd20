#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Programs that move bytes: curl, wget, nc, socat, Python, iperf3; each in both roles it has."""
# timeout: 600
import json
import sys

import libsuite
from programs import ECHO
from libe2e import equal, expect, test
from libsuite import (LINUX, LIMIT_S, MIB, STACK, address_of, digest, need, noise, other, site)

SIZE = 20 * MIB
UPLOAD = """
import http.server, sys
class H(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_PUT(self):
        n = int(self.headers["Content-Length"])
        with open("uploaded", "wb") as f:
            while n:
                data = self.rfile.read(min(n, 65536))
                f.write(data)
                n -= len(data)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *a):
        pass
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), H).serve_forever()
"""
def http_server(s, side, port=8000, code=UPLOAD):
    """Python's http.server in the site's folder, with PUT besides."""
    server = s.start(side, [sys.executable, "-c", code, address_of(side), str(port)], cwd=s.folder)
    s.reachable(address_of(side), port, server)
    return f"http://{address_of(side)}:{port}"


def both_ways(client, check):
    """The client on either side, and http.server on the other."""
    need(client)
    for side in ("stack", "linux"):
        with site() as s:
            s.file("data", noise(SIZE))
            check(s, side, http_server(s, other(side)))


@test("curl and python3 http.server: 20 MiB down and up, 50 requests on one connection, a 404")
def curl():
    def check(s, side, url):
        get = ["curl", "-sS", "-m", "60"]
        done = s.must(side, [*get, "-o", s.path("got"), "-w", "%{speed_download}", f"{url}/data"])
        print(f"# curl on {side}: {float(done.out) / MIB:.0f} MiB/s down")
        equal(digest(s.path("got")), digest(s.path("data")), f"curl on {side}: bytes down")
        s.must(side, [*get, "-T", s.path("data"), f"{url}/data2"])
        equal(digest(s.path("uploaded")), digest(s.path("data")), f"curl on {side}: bytes up")
        s.file("small", "hello\n")
        done = s.must(side, [*get, *([f"{url}/small"] * 50), "-w", "%{num_connects} "])
        equal(done.out.count("hello"), 50, "bodies")
        equal(done.out.replace("hello\n", "").split(), ["1"] + ["0"] * 49, "connections made")
        done = s.run(side, [*get, "-f", f"{url}/nothing"])
        equal(done.status, 22, "exit status of curl for a 404")
    both_ways("curl", check)


@test("curl: connection refused is said at once, no route and a time limit are kept")
def curl_errors():
    need("curl")
    with site() as s:
        done = s.run("stack", ["curl", "-sS", "-m", "20", f"http://{LINUX}:81/"], 10)
        equal(done.status, 7, f"refused: {done}")
        done = s.run("stack", ["curl", "-sS", "-m", "20", "http://192.0.2.1/"], 10)
        equal(done.status, 7, f"no route: {done}")
        done = s.run("stack", ["curl", "-sS", "--connect-timeout", "1", "http://10.73.0.99/"], 10)
        expect(done.status in (7, 28), f"nobody there: {done}")
        done = s.run("linux", ["curl", "-sS", "-m", "20", f"http://{STACK}:81/"], 10)
        equal(done.status, 7, f"refused by the stack: {done}")


@test("wget and python3 http.server: 20 MiB, byte for byte")
def wget():
    def check(s, side, url):
        s.must(side, ["wget", "-q", "-T", "30", "-t", "1", "-O", s.path("got"), f"{url}/data"])
        equal(digest(s.path("got")), digest(s.path("data")), f"wget on {side}")
    both_ways("wget", check)


@test("nc: a file to the server and one to the client, ended by a half-close; a datagram")
def nc():
    need("nc")
    for server in ("stack", "linux"):
        with site() as s:
            data, got = s.file("data", noise(SIZE)), s.path("got")
            where = ["-l", "-p", "9000", "-s", address_of(server)]
            for upwards in (True, False):
                with open(got, "wb") as taken, open(data, "rb") as given:
                    listener = s.start(server, ["nc", "-d" if upwards else "-N", *where],
                                       stdin=given, stdout=taken)
                s.listening(server, 9000)
                with open(data, "rb") as given:
                    done = s.must(other(server), ["nc", "-N" if upwards else "-d",
                                                  address_of(server), "9000"], stdin=given)
                equal(listener.wait(LIMIT_S), 0, "exit status of the listener")
                if not upwards:
                    s.file("got", done.raw)
                equal(digest(got), digest(data), f"server on {server}, upwards {upwards}")
            udp = s.start(server, ["nc", "-u", "-l", "-W", "1", "-p", "9001", "-s",
                                   address_of(server)])
            s.listening(server, 9001, udp=True)
            s.must(other(server), ["nc", "-u", "-q", "0", "-w", "1", address_of(server), "9001"],
                   input=b"a datagram")
            equal(udp.wait(LIMIT_S), 0, "exit status of nc -u -l")
            equal(s.log(udp), "a datagram", "what came by UDP")


@test("socat: many connections served by forked children, echo over TCP and UDP")
def socat():
    need("socat")
    for server in ("stack", "linux"):
        with site() as s:
            kinds = {"TCP": 7000, "UDP": 7001}
            bind = f"bind={address_of(server)},reuseaddr,fork"
            for kind, port in kinds.items():
                s.start(server, ["socat", f"{kind}-LISTEN:{port},{bind}", "EXEC:cat" if
                                 kind == "TCP" else "PIPE"])
            s.reachable(address_of(server), 7000)
            data = noise(MIB)
            for _ in range(10):
                done = s.must(other(server), ["socat", "-t", "20", "-",
                                              f"TCP:{address_of(server)}:7000"], input=data)
                expect(done.raw == data, f"server on {server}: {len(done.raw)} bytes came back")
            done = s.must(other(server), ["socat", "-t", "1", "-",
                                          f"UDP:{address_of(server)}:7001"], input=b"datagram")
            equal(done.raw, b"datagram", f"server on {server}: UDP echo")


@test("python3 asyncio: 200 connections at once, 40,000 bytes echoed on each")
def asyncio():
    for server in ("stack", "linux"):
        with site() as s:
            words = [sys.executable, "-c", ECHO]
            where = [address_of(server), "7100"]
            process = s.start(server, [*words, "serve", *where])
            s.reachable(*where, process)
            done = s.must(other(server), [*words, "ask", *where])
            equal(done.out.strip(), "200", f"server on {server}: echoes that were right")


def iperf(s, client, *options):
    """One run against a server of its own; iperf3's own account of it."""
    where = address_of(other(client))
    server = s.start(other(client), ["iperf3", "-s", "-1", "-B", where])
    s.listening(other(client), 5201)
    done = s.run(client, ["iperf3", "-c", where, "-J", "-t", "2", *options])
    report = json.loads(done.out)
    expect(done.status == 0 and "error" not in report,
           f"iperf3 on {client} {options}: {report.get('error')} {done.errors}")
    equal(server.wait(LIMIT_S), 0, "exit status of iperf3 -s")
    return report["end"]


@test("iperf3: TCP one and four streams, reversed, both at once; UDP both ways; either side server")
def iperf3():
    need("iperf3")
    for server in ("stack", "linux"):
        with site() as s:
            for options in ([], ["-P", "4"], ["-R"], ["-R", "-P", "4"], ["--bidir"]):
                ended = iperf(s, other(server), *options)
                gbits = ended["sum_received"]["bits_per_second"] / 1e9
                print(f"# iperf3 server on {server} {' '.join(options)}: {gbits:.2f} Gbit/s")
                expect(gbits > 0.05, f"server on {server} {options}: {gbits} Gbit/s")
            for options in (["-u", "-b", "50M"], ["-u", "-b", "50M", "-R"]):
                total = iperf(s, other(server), *options)["sum"]
                print(f"# iperf3 server on {server} {' '.join(options)}: "
                      f"{total['packets']} packets, {total['lost_percent']:.2f} % lost")
                expect(total["packets"] > 1000 and total["lost_percent"] < 5,
                       f"server on {server} {options}: {total}")


if __name__ == "__main__":
    sys.exit(libsuite.main())
