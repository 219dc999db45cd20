# SPDX-License-Identifier: BSD-2-Clause
"""What the programs that compare calls (tests/programs/calls_*.c) find on the wire."""

NOBODY, BROADCAST = "10.73.0.99", "10.73.0.255"

# What a Linux host does on its end: told by the first line of a connection. Datagrams are echoed.
PEER = """
import socket, struct, sys, threading
def serve(c, addr):
    f = c.makefile("rb", buffering=0)
    what = f.readline().split()
    if what[0] == b"echo":
        while (data := c.recv(65536)):
            c.sendall(data)
    elif what[0] == b"reset":
        c.sendall(b"before")
        f.readline()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif what[0] == b"close":
        c.sendall(b"bye")
    elif what[0] == b"unread":
        while not c.recv(1, socket.MSG_PEEK):
            pass
    elif what[0] == b"count":
        n = 0
        while (data := c.recv(65536)):
            n += len(data)
        c.sendall(b"%d" % n)
    elif what[0] == b"urgent":
        c.send(b"abcX", socket.MSG_OOB)
        f.readline()
        c.sendall(b"def")
        p = __import__("select").poll()
        p.register(c, 2)
        p.poll(5000)
        c.sendall(c.recv(1, socket.MSG_OOB) + c.recv(1))
    elif what[0] == b"call":
        d = socket.create_connection((addr[0], int(what[1])), 5)
        d.sendall(b"hello")
        while (data := d.recv(100)):
            c.sendall(data)
        d.close()
    f.close()
    c.close()
s = socket.create_server(("0.0.0.0", 0))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400000)
u.bind(s.getsockname())
def datagrams():
    while True:
        try:
            u.sendto(*u.recvfrom(65536))
        except OSError:
            pass
threading.Thread(target=datagrams, daemon=True).start()
print("listening 0.0.0.0", s.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=s.accept(), daemon=True).start()
"""
