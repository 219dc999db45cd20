# SPDX-License-Identifier: BSD-2-Clause
"""Programs for datagrams that are sent several at once (UDP_SEGMENT), and how they cross a tap."""
import json
import platform
import subprocess
import sys

from libe2e import equal, expect

KNOWN_SINCE = (6, 2)  # the Linux that gives a tap datagrams of several, if it is asked to

# Sends bursts at once, and compares what comes back: ADDRESS PORT. Prints how many datagrams those were.
SEVERAL = """
import socket, sys
UDP, SEGMENT = 17, 103
where = socket.getaddrinfo(sys.argv[1], int(sys.argv[2]), type=socket.SOCK_DGRAM)[0]
s = socket.socket(*where[:3])
s.settimeout(1)
s.connect(where[4])
whole = count = 0
for size, last, n in ((1400, 1400, 44), (1400, 3, 30), (1000, 999, 40), (64, 64, 64), (5, 1, 3)):
    for burst in range(6):
        want = [bytes((i * 5 + size + burst + j * 3) & 255 for j in range(last if i == n - 1 else size))
                for i in range(n)]
        s.setsockopt(UDP, SEGMENT, size)
        s.send(b"".join(want))
        count += n
        got = []
        try:
            while len(got) < n:
                got.append(s.recv(70000))
        except TimeoutError:
            pass  # one may be lost
        left = iter(want)
        assert all(data in left for data in got), (size, burst)  # in order, and none but those
        whole += got == want
assert whole > 20, whole
print(count)
"""
# Echoes each datagram by itself: ADDRESS, and whether it is to get them joined (UDP_GRO). Says so if it does.
ECHO_EACH = """
import socket, sys
UDP, GRO = 17, 104
where = socket.getaddrinfo(sys.argv[1], 0, type=socket.SOCK_DGRAM)[0]
s = socket.socket(*where[:3])
s.bind(where[4])
s.setsockopt(UDP, GRO, int(sys.argv[2]))
print(s.getsockname()[1], flush=True)
joined = False
while True:
    data, control, flags, who = s.recvmsg(70000, 100)
    assert flags & socket.MSG_TRUNC == 0
    sizes = [int.from_bytes(c[2][:4], sys.byteorder) for c in control if c[:2] == (UDP, GRO)]
    if sizes and not joined:
        joined = True
        print("joined", flush=True)
    size = sizes[0] if sizes else max(len(data), 1)
    for at in range(0, max(len(data), 1), size):
        s.sendto(data[at:at + size], who)
"""


def handed_over(host, tap):
    """Frames that the kernel has given the tap's owner."""
    done = host.run(["ip", "-j", "-s", "link", "show", "dev", tap], stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)[0]["stats64"]["tx"]["packets"]


def exchange(peer, host, address, port, offload):
    """SEVERAL at the peer with an ECHO_EACH behind host's tap0; whether they cross that whole."""
    offload = offload and tuple(map(int, platform.release().split(".")[:2])) >= KNOWN_SINCE
    before = handed_over(host, "tap0")
    done = peer.run([sys.executable, "-c", SEVERAL, address, port], stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, text=True)
    equal((done.returncode, done.stderr), (0, ""), "datagrams sent several at once")
    frames, datagrams = handed_over(host, "tap0") - before, int(done.stdout)
    if offload:
        expect(frames < datagrams / 4, f"{frames} frames for {datagrams} datagrams")
    else:
        expect(frames >= datagrams, f"{frames} frames for {datagrams} datagrams, without offload")
