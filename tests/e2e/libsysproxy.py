# SPDX-License-Identifier: BSD-2-Clause
"""The remote system call protocol spoken by hand, right or wrong, as a test wants it."""
import socket
import struct

REQUEST, RESPONSE, ERROR = 0, 1, 2
HANDSHAKE, SYSCALL, COPYIN, COPYINSTR, COPYOUT, COPYOUTSTR, ANONMMAP, PREFORK, RAISE = range(9)
GUEST, AUTH, FORK, EXEC = range(4)
HEADER = struct.Struct("<QQHHI")


class Closed(Exception):
    """The server closed the connection."""


class Frame:
    def __init__(self, raw):
        self.raw = raw
        self.length, self.reqno, self.kind, self.type, self.arg = HEADER.unpack(raw[:24])
        self.payload = raw[24:]

    def __repr__(self):
        return (f"[request {self.reqno} class {self.kind} type {self.type} arg {self.arg} "
                f"{self.payload[:64].hex()}]")


def frame(kind, type_, arg=0, payload=b"", reqno=0, length=None):
    return HEADER.pack(24 + len(payload) if length is None else length, reqno, kind, type_,
                       arg) + payload


class Speaker:
    """One connection. memory: address -> bytes that the server may ask for, or has written."""

    def __init__(self, url, guest=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(url.removeprefix("unix://"))
        self.buffer = b""
        self.banner = self._line()
        self.memory = {}
        self.next = 0
        self.asked = []  # requests of the server, as they came
        if guest:
            self.guest()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def _more(self):
        try:
            got = self.socket.recv(65536)
        except ConnectionError:
            got = b""
        if not got:
            raise Closed(f"with {len(self.buffer)} bytes of a frame")
        self.buffer += got

    def _line(self):
        while b"\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line + b"\n"

    def send(self, raw):
        self.socket.sendall(raw)

    def receive(self):
        while len(self.buffer) < 24 or len(self.buffer) < HEADER.unpack(self.buffer[:24])[0]:
            self._more()
        length = HEADER.unpack(self.buffer[:24])[0]
        raw, self.buffer = self.buffer[:length], self.buffer[length:]
        return Frame(raw)

    def closed(self):
        """Whether the server closes without another word."""
        try:
            return self.receive() is None
        except Closed:
            return self.buffer == b""

    def request(self, type_, arg=0, payload=b""):
        reqno, self.next = self.next, self.next + 1
        self.send(frame(REQUEST, type_, arg, payload, reqno))
        return reqno

    def guest(self, name=b"speaker\0"):
        self.request(HANDSHAKE, GUEST, name)
        return self.receive()

    def start(self, number, *args):
        return self.request(SYSCALL, number, struct.pack(f"<{len(args)}Q", *(
            a & (1 << 64) - 1 for a in args)))

    def answer(self, asked):
        """Serves a request of the server from memory."""
        self.asked.append(asked)
        length, address = struct.unpack("<QQ", asked.payload[:16])
        if asked.type == COPYIN:
            self.send(frame(RESPONSE, COPYIN, 0, self.memory[address][:length], asked.reqno))
        elif asked.type == COPYOUT:
            self.memory[address] = asked.payload[16:]

    def finish(self, reqno):
        """Serves the server until the answer to that call. Returns (errno, retval, retval2)."""
        while True:
            got = self.receive()
            if got.kind == REQUEST and got.type in (COPYIN, COPYOUT):
                self.answer(got)
            elif got.kind == REQUEST:
                self.asked.append(got)
            elif got.reqno == reqno:
                if got.kind == ERROR:
                    raise AssertionError(f"a call was answered with {got}")
                error, _, one, two = struct.unpack("<iIqq", got.payload)
                return error, one, two

    def call(self, number, *args):
        self.asked = []
        return self.finish(self.start(number, *args))


def sockaddr(address, port):
    """A NetBSD sockaddr_in."""
    return struct.pack(">BBH4s8x", 16, 2, port, socket.inet_aton(address))
