#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A DNS server for tests, over UDP and TCP: dnsserver.py ADDRESS [LOG].

What it knows is ZONE. Each question goes to LOG as a line: who, "udp" or "tcp", name, type.
An answer larger than 512 bytes is cut by UDP, so it is asked for again by TCP. Names under
"silent." get no answer, under "broken." SERVFAIL, others NXDOMAIN.
"""
import socket
import struct
import sys
import threading

A, CNAME, PTR, MX, TXT, AAAA = 1, 5, 12, 15, 16, 28
NAMES = {A: "A", CNAME: "CNAME", PTR: "PTR", MX: "MX", TXT: "TXT", AAAA: "AAAA"}
UDP_MAX = 512

ZONE = {
    "host.rumpus.test": {A: ["192.0.2.42"]},
    "two.rumpus.test": {A: ["192.0.2.1", "192.0.2.2"], AAAA: ["2001:db8::1"]},
    "six.rumpus.test": {AAAA: ["2001:db8::6"]},
    "alias.rumpus.test": {CNAME: ["second.rumpus.test"]},
    "second.rumpus.test": {CNAME: ["host.rumpus.test"]},
    "mail.rumpus.test": {MX: ["host.rumpus.test"]},
    "long.rumpus.test": {TXT: ["x" * 250] * 8},
    "many.rumpus.test": {A: [f"192.0.2.{i}" for i in range(100, 160)]},
    "web.rumpus.test": {A: ["10.73.0.3"]},
    "stack.rumpus.test": {A: ["10.73.0.1"]},
    "xn--bcher-kva.rumpus.test": {A: ["192.0.2.77"]},
    "deep.sub.rumpus.test": {A: ["192.0.2.55"]},
    "42.2.0.192.in-addr.arpa": {PTR: ["host.rumpus.test"]},
    "3.0.73.10.in-addr.arpa": {PTR: ["web.rumpus.test"]},
    "1.0.73.10.in-addr.arpa": {PTR: ["stack.rumpus.test"]},
    "6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa":
        {PTR: ["six.rumpus.test"]},
}


def labels(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


def record(name, kind, value):
    data = {A: lambda: socket.inet_pton(socket.AF_INET, value),
            AAAA: lambda: socket.inet_pton(socket.AF_INET6, value),
            TXT: lambda: bytes([len(value)]) + value.encode(),
            MX: lambda: b"\0\x0a" + labels(value)}.get(kind, lambda: labels(value))()
    return labels(name) + struct.pack("!HHIH", kind, 1, 60, len(data)) + data


def answers(name, kind):
    """The records, along aliases; None: there is no such name."""
    found = []
    while name in ZONE:
        here = ZONE[name]
        if CNAME not in here or kind == CNAME:
            return found + [record(name, kind, v) for v in here.get(kind, [])]
        found.append(record(name, CNAME, here[CNAME][0]))
        name = here[CNAME][0]
    return found or None


def question(query):
    end, parts = 12, []
    while query[end]:
        parts.append(query[end + 1:end + 1 + query[end]].decode())
        end += query[end] + 1
    return ".".join(parts).lower(), int.from_bytes(query[end + 1:end + 3], "big"), query[12:end + 5]


def reply(query, peer, how, log):
    """=> the message, or None for silence"""
    name, kind, asked = question(query)
    print(peer[0], how, name, NAMES.get(kind, kind), file=log, flush=True)
    if name.startswith("silent."):
        return None
    found = answers(name, kind)
    code = 2 if name.startswith("broken.") else 3 if found is None else 0
    body = asked + b"".join(found or [])
    cut = how == "udp" and 12 + len(body) > UDP_MAX
    flags = 0x8580 | code | (0x200 if cut else 0)
    head = query[:2] + struct.pack("!HHHHH", flags, 1, 0 if cut else len(found or []), 0, 0)
    return head + (asked if cut else body)


def serve_stream(conn, peer, log):
    f = conn.makefile("rwb")
    while len(size := f.read(2)) == 2:
        message = reply(f.read(int.from_bytes(size, "big")), peer, "tcp", log)
        if message is not None:
            f.write(len(message).to_bytes(2, "big") + message)
            f.flush()
    conn.close()


def serve_streams(listener, log):
    while True:
        threading.Thread(target=serve_stream, args=(*listener.accept(), log), daemon=True).start()


def main():
    with open(sys.argv[2] if len(sys.argv) > 2 else "/dev/null", "a", encoding="ascii") as log:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((sys.argv[1], 53))
        listener = socket.create_server((sys.argv[1], 53))
        threading.Thread(target=serve_streams, args=(listener, log), daemon=True).start()
        while True:
            query, peer = udp.recvfrom(4096)
            message = reply(query, peer, "udp", log)
            if message is not None:
                udp.sendto(message, peer)


if __name__ == "__main__":
    main()
