#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Bytes over TCP on whatever stack it runs on, by plain sockets; checks every byte.

  transfer.py read PORT FLOWS               accepts FLOWS connections; "listening", then one JSON line
  transfer.py send HOST PORT FLOWS SECONDS  sends on FLOWS connections for SECONDS, then closes them

A flow begins with its number, and its bytes follow from that. Who runs both compares the totals.
"""
import hashlib
import json
import selectors
import socket
import struct
import sys
import time

BLOCK = 1 << 18


def block(flow):
    """What a flow repeats; of a length that no buffer divides."""
    return hashlib.shake_256(str(flow).encode()).digest(BLOCK - 7) * 2


def read(port, flows):
    listener = socket.create_server(("", port), backlog=flows)
    print("listening", listener.getsockname()[1], flush=True)
    chooser, wrong, total, left, first, last = selectors.DefaultSelector(), [], 0, flows, None, None
    listener.setblocking(False)
    chooser.register(listener, selectors.EVENT_READ)
    state = {}
    buffer = bytearray(BLOCK - 7)
    while left:
        for key, _ in chooser.select():
            if key.fileobj is listener:
                conn, _ = listener.accept()
                conn.setblocking(False)
                chooser.register(conn, selectors.EVENT_READ)
                state[conn] = [None, 0, b""]
                first = first or time.monotonic()
                continue
            conn, flow = key.fileobj, state[key.fileobj]
            try:
                n = conn.recv_into(buffer)
            except BlockingIOError:
                continue
            except OSError as e:
                wrong.append(f"flow {flow[0]}: {e}")
                n = 0
            last = time.monotonic()
            if n == 0:
                chooser.unregister(conn)
                conn.close()
                left -= 1
                continue
            data = memoryview(buffer)[:n]
            if flow[0] is None:
                flow[2] += bytes(data)
                if len(flow[2]) < 4:
                    continue
                flow[0] = struct.unpack("!I", flow[2][:4])[0]
                data, flow[2] = memoryview(flow[2])[4:], memoryview(block(flow[0]))
            at = flow[1] % (BLOCK - 7)
            if flow[2][at:at + len(data)] != data:
                wrong.append(f"flow {flow[0]}: other bytes after {flow[1]}")
            flow[1] += len(data)
            total += len(data)
    print(json.dumps({"bytes": total, "seconds": last - first, "wrong": wrong[:5]}), flush=True)


def send(host, port, flows, seconds):
    chooser, sent = selectors.DefaultSelector(), {}
    for flow in range(flows):
        conn = socket.create_connection((host, port), timeout=60)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
        conn.sendall(struct.pack("!I", flow))
        conn.setblocking(False)
        chooser.register(conn, selectors.EVENT_WRITE)
        sent[conn] = [memoryview(block(flow)), 0]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _ in chooser.select(0.1):
            data, n = sent[key.fileobj]
            at = n % (BLOCK - 7)
            try:
                sent[key.fileobj][1] += key.fileobj.send(data[at:at + 65536])
            except BlockingIOError:
                pass
    for conn in sent:
        conn.setblocking(True)
        conn.shutdown(socket.SHUT_WR)
    for conn in sent:
        conn.settimeout(60)
        conn.recv(1)
    print(json.dumps({"bytes": sum(n for _, n in sent.values())}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(int(sys.argv[2]), int(sys.argv[3]))
    else:
        send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
