#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Web servers and their load generators: nginx, haproxy, node, java; wrk, ab."""
# timeout: 600
import os
import re
import sys
import time

import libsuite
from programs import nginx, nginx_conf
from libe2e import equal, expect, test
from libsuite import (LINUX, MIB, STACK, address_of, digest, need, noise, other, site)

def wrk(s, side, where, *options, seconds=3, path="1k", port=8080):
    """=> requests a second; no request may fail"""
    done = s.must(side, ["wrk", "-t", "2", "-c", "64", "-d", f"{seconds}s", "--timeout", "30s",
                         *options, f"http://{where}:{port}/{path}"])
    expect("Socket errors" not in done.out and "Non-2xx" not in done.out, f"wrk: {done.out}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.out).group(1))


@test("nginx, 4 workers, sendfile: 100 MiB byte for byte, wrk without a failed request")
def nginx_files():
    need("nginx", "wrk", "curl")
    for side in ("stack", "linux"):
        with site() as s:
            process = nginx(s, side)
            url = f"http://{address_of(side)}:8080"
            s.must(other(side), ["curl", "-sS", "-m", "60", "-o", s.path("got"), f"{url}/data"])
            equal(digest(s.path("got")), digest(s.path("www/data")), f"nginx on {side}: bytes")
            rate = wrk(s, other(side), address_of(side))
            bulk = wrk(s, other(side), address_of(side), "-c", "8", path="data", seconds=3)
            print(f"# nginx on {side}: {rate:.0f} requests/s of 1 KiB, "
                  f"{bulk * 100 * MIB * 8 / 1e9:.1f} Gbit/s in files of 100 MiB")
            expect(process.poll() is None, s.log(process))
            with open(s.path("error.log"), encoding="utf-8") as f:
                bad = [line for line in f if "[error]" in line or "[crit]" in line
                       or "[alert]" in line]
            equal(bad, [], "nginx's own complaints")


def reload_under(s, *headers):
    """nginx, reloaded ten times while wrk asks. => wrk's words"""
    process = nginx(s, "stack")
    load = s.start("linux", ["wrk", "-t", "2", "-c", "64", "-d", "8s", "--timeout", "30s", *headers,
                             f"http://{STACK}:8080/1k"])
    with open(s.path("nginx.pid"), encoding="ascii") as f:
        master = int(f.read())
    for i in range(10):
        nginx_conf(s, "stack", version=f"reload-{i}")
        os.kill(master, 1)
        time.sleep(0.5)
    equal(load.wait(30), 0, "exit status of wrk")
    done = s.must("linux", ["curl", "-sS", "-m", "5", f"http://{STACK}:8080/version"])
    equal(done.out, "reload-9", "the configuration in force")
    expect(process.poll() is None, s.log(process))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", s.log(load)).group(1))
    expect(rate > 100, f"nothing was served: {s.log(load)}")
    print(f"# {rate:.0f} requests/s, {' '.join(headers) or 'kept alive'}: " + " ".join(
        re.findall(r"(?:Socket errors|Non-2xx).*", s.log(load)) or ["no error"]))
    return s.log(load)


@test("nginx: configuration reloaded ten times under wrk's load; not one request fails")
def nginx_reload():
    need("nginx", "wrk", "curl")
    with site() as s:
        words = reload_under(s, "-H", "Connection: close")
        expect("Socket errors" not in words and "Non-2xx" not in words, words)
    # With kept connections a worker that goes closes those that are idle, and wrk, which may have
    # sent on one just then, counts a `read`; so it does with nginx on Linux, and as often: once
    # for each connection and reload. What fails to connect, or is answered wrong, has failed.
    with site() as s:
        words = reload_under(s)
        reads = re.search(r"Socket errors: connect 0, read (\d+), write 0, timeout 0", words)
        expect("Socket errors" not in words or reads, words)
        expect("Non-2xx" not in words, words)
        expect(reads is None or int(reads.group(1)) <= 10 * 64, words)


@test("nginx and ab: a body for each request, with and without keep-alive")
def ab():
    need("nginx", "ab")
    for side in ("stack", "linux"):
        with site() as s:
            nginx(s, side)
            for options in ([], ["-k"]):
                done = s.must(other(side), ["ab", "-q", "-n", "5000", "-c", "50", *options,
                                            f"http://{address_of(side)}:8080/1k"])
                equal(re.search(r"Failed requests:\s+(\d+)", done.out).group(1), "0", done.out)
                equal(re.search(r"Complete requests:\s+(\d+)", done.out).group(1), "5000", "done")
                rate = re.search(r"Requests per second:\s+([\d.]+)", done.out).group(1)
                print(f"# ab on {other(side)} {' '.join(options)}: {rate} requests/s")


HAPROXY = """
global
    maxconn 2000
    nbthread 2
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend in
    bind {front}:8081
    default_backend out
backend out
    balance roundrobin
    server one {back}:8080 check inter 500
"""


@test("haproxy on the stack: from Linux clients to a Linux nginx and back, health checks, wrk")
def haproxy():
    path, _, _ = need("haproxy", "nginx", "wrk")
    with site() as s:
        nginx(s, "linux")
        s.file("haproxy.cfg", HAPROXY.format(front=STACK, back=LINUX))
        process = s.start("stack", [path, "-db", "-f", s.path("haproxy.cfg")])
        s.reachable(STACK, 8081, process)
        s.must("linux", ["curl", "-sS", "-m", "60", "-o", s.path("got"),
                         f"http://{STACK}:8081/data"])
        equal(digest(s.path("got")), digest(s.path("www/data")), "bytes through haproxy")
        print(f"# haproxy on the stack: {wrk(s, 'linux', STACK, port=8081):.0f} requests/s")
        expect(process.poll() is None, s.log(process))


NODE = """
const http = require('http'), [host, port] = process.argv.slice(2);
http.createServer((q, r) => {
  let n = 0;
  q.on('data', d => n += d.length);
  q.on('end', () => r.end(q.method == 'PUT' ? String(n) : Buffer.alloc(100000, 'x')));
}).listen(+port, host);
"""
NODE_ASK = """
const http = require('http'), [host, port] = process.argv.slice(2);
const agent = new http.Agent({keepAlive: true, maxSockets: 50});
let right = 0, left = 500;
const done = () => { if (--left == 0) { console.log(right); agent.destroy(); } };
for (let i = 0; i < 500; i++)
  http.get({host, port, agent, path: '/'}, r => {
    let n = 0;
    r.on('data', d => n += d.length);
    r.on('end', () => { right += n == 100000; done(); });
  }).on('error', e => { console.error(e.message); done(); });
"""


@test("node http: 500 requests of 100,000 bytes over 50 connections, a body of 20 MiB put")
def node():
    need("node", "curl")
    for side in ("stack", "linux"):
        with site() as s:
            serve, ask = s.file("serve.js", NODE), s.file("ask.js", NODE_ASK)
            process = s.start(side, ["node", serve, address_of(side), "8082"])
            s.reachable(address_of(side), 8082, process)
            begun = time.monotonic()
            done = s.must(other(side), ["node", ask, address_of(side), "8082"])
            print(f"# node on {side}: {500 / (time.monotonic() - begun):.0f} requests/s")
            equal(done.out.strip(), "500", f"server on {side}: right answers; {done.errors}")
            done = s.must(other(side), ["curl", "-sS", "-m", "30", "-T",
                                        s.file("put", noise(20 * MIB)),
                                        f"http://{address_of(side)}:8082/x"])
            equal(done.out, str(20 * MIB), "bytes put")


JAVA = """
import com.sun.net.httpserver.*;
import java.net.*;
public class Serve {
    public static void main(String[] a) throws Exception {
        HttpServer s = HttpServer.create(new InetSocketAddress(a[0], Integer.parseInt(a[1])), 256);
        byte[] body = "x".repeat(100000).getBytes();
        s.createContext("/", e -> {
            e.getRequestBody().readAllBytes();
            e.sendResponseHeaders(200, body.length);
            e.getResponseBody().write(body);
            e.close();
        });
        s.setExecutor(java.util.concurrent.Executors.newFixedThreadPool(8));
        s.start();
    }
}
"""


JAVA_ASK = """
import java.net.*;
import java.net.http.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
public class Ask {
    public static void main(String[] a) throws Exception {
        HttpClient c = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        HttpRequest q = HttpRequest.newBuilder(URI.create(a[0])).build();
        long right = 0;
        for (int i = 0; i < 20; i++)
            right += IntStream.range(0, 25)
                .mapToObj(j -> c.sendAsync(q, HttpResponse.BodyHandlers.ofByteArray()))
                .collect(Collectors.toList()).stream().map(CompletableFuture::join)
                .filter(r -> r.statusCode() == 200 && r.body().length == 100000).count();
        System.out.println(right);
    }
}
"""


@test("java: ab's and HttpClient's requests of 100,000 bytes to HttpServer; either side server")
def java():
    need("java", "javac", "ab")
    for side in ("stack", "linux"):
        with site() as s:
            serve, ask = s.file("Serve.java", JAVA), s.file("Ask.java", JAVA_ASK)
            process = s.start(side, ["java", serve, address_of(side), "8083"])
            s.reachable(address_of(side), 8083, process, limit_s=40)
            url = f"http://{address_of(side)}:8083/"
            done = s.must(other(side), ["ab", "-q", "-k", "-n", "1000", "-c", "20", url])
            equal(re.search(r"Failed requests:\s+(\d+)", done.out).group(1), "0", done.out)
            equal(re.search(r"HTML transferred:\s+(\d+)", done.out).group(1), "100000000",
                  done.out)
            rate = re.search(r"Requests per second:\s+([\d.]+)", done.out).group(1)
            print(f"# java on {side}: {rate} of ab's requests/s")
            done = s.must(other(side), ["java", ask, url])
            equal(done.out.strip(), "500", f"server on {side}: right answers; {done.errors}")
            expect(process.poll() is None, s.log(process))


if __name__ == "__main__":
    sys.exit(libsuite.main())
