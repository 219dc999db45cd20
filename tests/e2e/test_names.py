#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Names: the C library's calls of programs on the stack, beside the same calls on Linux.

The calls that ASK makes run once on host b, where the C library answers, and once under
`rumpus run --resolv`, and print the same. The DNS server on host b notes who asked.
"""
import contextlib
import os
import subprocess
import sys

import libe2e
import wire
from libe2e import equal, expect, test

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT_S = 60
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
         "text": True, "timeout": LIMIT_S}
HOSTS = "127.0.0.1 localhost\n192.0.2.99 filed.rumpus.test filed other-name\n" \
        "192.0.2.98 host.rumpus.test\n"
DNS_ONLY = HOSTS.replace("192.0.2.98 host.rumpus.test\n", "")

ASK = r"""
import ctypes, socket
from socket import *
libc = ctypes.CDLL("libresolv.so.2", mode=ctypes.RTLD_GLOBAL)
libc = ctypes.CDLL(None)
herrno = libc.__h_errno_location
herrno.restype = ctypes.POINTER(ctypes.c_int)
def show(what, call):
    try:
        got = call()
    except gaierror as e:
        # -5, no address of the family, or -2, no such name: the C library has it by its search
        got = f"gaierror {-2 if e.errno == -5 else e.errno}"
    except herror as e:
        got = f"herror {e.errno}"
    except OSError as e:
        got = f"errno {e.errno}"
    print(what, "=>", got)
HOSTNAMES = ["host.rumpus.test", "two.rumpus.test", "six.rumpus.test", "alias.rumpus.test",
             "many.rumpus.test", "mail.rumpus.test", "no.rumpus.test", "broken.rumpus.test",
             "filed.rumpus.test", "filed", "other-name", "host", "deep.sub",
             "192.0.2.7", "2001:db8::7", "host.rumpus.test.", b"x..y", "", b"a" * 70 + b".test"]
for name in HOSTNAMES:
    for family in (AF_INET, AF_INET6):
        show(f"getaddrinfo {name} {int(family)}",
             lambda: getaddrinfo(name, "http", family, SOCK_STREAM))
    show(f"getaddrinfo {name} any", lambda: sorted(getaddrinfo(name, 53)))
    show(f"getaddrinfo {name} canon", lambda: getaddrinfo(name, None, AF_INET, SOCK_DGRAM, 0,
                                                          AI_CANONNAME)[0][3])
    show(f"gethostbyname {name}", lambda: gethostbyname(name))
    show(f"gethostbyname_ex {name}", lambda: gethostbyname_ex(name))
show("localhost", lambda: gethostbyname("localhost"))
name = "two.rumpus.test"
for flags in (AI_NUMERICHOST, AI_NUMERICSERV, AI_V4MAPPED, AI_V4MAPPED | AI_ALL, AI_PASSIVE):
    show(f"flags {int(flags)}", lambda: sorted(getaddrinfo(name, "80", AF_INET6, SOCK_STREAM, 0,
                                                           flags)))
    show(f"flags {int(flags)} v4", lambda: getaddrinfo("host.rumpus.test", "80", AF_INET6, 0, 0,
                                                       flags))
show("service", lambda: getaddrinfo("host.rumpus.test", "no-such-service"))
show("numeric service", lambda: getaddrinfo("host.rumpus.test", "http", 0, 0, 0, AI_NUMERICSERV))
show("family", lambda: getaddrinfo("host.rumpus.test", 80, AF_UNIX))
show("socktype", lambda: getaddrinfo("host.rumpus.test", 80, 0, 99))
show("passive", lambda: getaddrinfo(None, 80, AF_INET, SOCK_STREAM, 0, AI_PASSIVE))
show("numeric", lambda: getaddrinfo("192.0.2.1", 80, 0, SOCK_STREAM, 0, AI_NUMERICHOST))
for address in ("192.0.2.42", "192.0.2.99", "192.0.2.200", "2001:db8::6", "127.0.0.1"):
    show(f"gethostbyaddr {address}", lambda: gethostbyaddr(address))
    for flags in (0, NI_NAMEREQD, NI_NUMERICHOST, NI_NUMERICSERV, NI_NUMERICHOST | NI_NUMERICSERV):
        show(f"getnameinfo {address} {flags}", lambda: getnameinfo((address, 80), flags))
def raw(call, *args):
    room = ctypes.create_string_buffer(65536)
    n = getattr(libc, call)(*args, room, 65536)
    if n < 0:
        return f"h_errno {herrno()[0]}"
    body = room.raw[:n]
    return f"{n} bytes, {int.from_bytes(body[6:8], 'big')} answers"
for kind in (1, 15, 16, 28):
    for name in (b"host.rumpus.test", b"mail.rumpus.test", b"long.rumpus.test", b"no.rumpus.test",
                 b"broken.rumpus.test", b"host", b"deep.sub", b"host.rumpus.test."):
        for call in ("res_query", "res_search"):
            show(f"{call} {name.decode()} {kind}", lambda: raw(call, name, 1, kind))
for domain in (b"rumpus.test", b"test"):
    show(f"res_querydomain {domain}", lambda: raw("res_querydomain", b"host", domain, 1, 1))
query = ctypes.create_string_buffer(512)
n = libc.res_mkquery(0, b"host.rumpus.test", 1, 1, None, 0, None, query, 512)
show("res_send", lambda: raw("res_send", query, n))
"""


class Rig:
    """A wire, a server with a control socket, and a DNS server on host b."""

    def __init__(self, stack):
        self.wire = stack.enter_context(wire.Wire())
        self.control, self.log = f"{self.wire.folder}/control.sock", f"{self.wire.folder}/dns.log"
        self.server = self.wire.server("a", "--control", self.control)
        self.stack = stack
        self.dns(wire.LINUX_B)

    def dns(self, address):
        dns = self.wire.b.popen([sys.executable, f"{HERE}/dnsserver.py", address, self.log],
                                stdin=subprocess.DEVNULL)

        def end():
            dns.kill()
            dns.wait()
        self.stack.callback(end)
        expect(wire.wait_until(lambda: self.wire.b.run(["nc", "-z", address, "53"]).returncode == 0,
                               20), "the DNS server does not listen")

    def file(self, name, text):
        path = f"{self.wire.folder}/{name}"
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def mount(self, name, text):
        """A file of /etc, as all of this test sees it from now on."""
        path = self.file(f"{name}-{len(text)}", text)
        subprocess.run(["mount", "--bind", path, f"/etc/{name}"], check=True)
        self.stack.callback(subprocess.run, ["umount", f"/etc/{name}"], check=True)

    def asked(self):
        """What the DNS server has been asked since the last time: [who, how, name, type]."""
        with open(self.log, "r+", encoding="ascii") as f:
            lines = [line.split() for line in f]
            f.truncate(0)
        return lines

    def on_linux(self, *words):
        return self.wire.b.run(words, **PIPES)

    def on_stack(self, *words, resolv=None, host=None):
        options = ["--resolv", resolv] if resolv else []
        done = (host or self.wire.a).run([wire.program("rumpus"), "-s", self.control, "run",
                                          *options, "--", *words], **PIPES)
        libe2e.server_alive(self.server)
        return done


def rig_test(name):
    def add(function):
        @test(name)
        def run():
            with contextlib.ExitStack() as stack:
                function(Rig(stack))
        return run
    return add


def same_lines(native, ours):
    """Both ran, and every line is the same."""
    equal((native.returncode, native.stderr), (0, ""), "natively")
    equal((ours.returncode, ours.stderr), (0, ""), "on the stack")
    pairs = zip(native.stdout.splitlines(), ours.stdout.splitlines())
    differ = [f"Linux: {a}\n stack: {b}" for a, b in pairs if a != b]
    expect(not differ, f"{len(differ)} differ:\n" + "\n".join(differ[:20]))
    equal(len(ours.stdout), len(native.stdout), "length of what is printed")


@rig_test("names: the C library's calls answer as they do on Linux, and ask over the stack")
def same(rig):
    resolv = f"nameserver {wire.LINUX_B}\nsearch rumpus.test\noptions timeout:2 attempts:2\n"
    named = rig.file("named.conf", resolv)
    rig.mount("nsswitch.conf", "hosts: files dns\n")
    rig.mount("resolv.conf", resolv)
    for hosts in (HOSTS, DNS_ONLY):
        rig.mount("hosts", hosts)
        native = rig.on_linux(sys.executable, "-c", ASK)
        equal({who for who, *_ in rig.asked()}, {wire.LINUX_B}, "who asks natively")
        ours = rig.on_stack(sys.executable, "-c", ASK, resolv=named)
        asked = rig.asked()
        equal({who for who, *_ in asked}, {wire.STACK_A}, "who asks on the stack")
        equal({how for _, how, *_ in asked}, {"udp", "tcp"}, "how")
        same_lines(native, ours)


@rig_test("names: nsswitch.conf without dns asks nobody; dns before files asks first")
def order(rig):
    named = rig.file("named.conf", f"nameserver {wire.LINUX_B}\n")
    rig.mount("hosts", HOSTS)
    ask = "import socket; print(socket.gethostbyname('host.rumpus.test'))"
    for order, answer, asked in (("files", "192.0.2.98", 0), ("files dns", "192.0.2.98", 0),
                                 ("dns files", "192.0.2.42", 1)):
        rig.mount("nsswitch.conf", f"hosts: {order}\n")
        rig.asked()
        done = rig.on_stack(sys.executable, "-c", ask, resolv=named)
        equal((done.stdout.strip(), done.stderr), (answer, ""), f"hosts: {order}")
        equal(len(rig.asked()) > 0, asked > 0, f"hosts: {order}: whether DNS was asked")


@rig_test("names: the host's resolv.conf without --resolv; use-vc; a server that is silent")
def options(rig):
    ask = "import socket, time; t = time.monotonic()\n" \
          "try: print(socket.gethostbyname(NAME))\n" \
          "except OSError as e: print(e.args[0], time.monotonic() - t)"
    say = lambda name: ask.replace("NAME", repr(name))
    rig.mount("resolv.conf", f"nameserver {wire.LINUX_B}\noptions use-vc\n")
    done = rig.on_stack(sys.executable, "-c", say("host.rumpus.test"))
    equal((done.stdout.strip(), done.stderr), ("192.0.2.42", ""), "answer")
    equal({tuple(q[:2]) for q in rig.asked()}, {(wire.STACK_A, "tcp")}, "who asked, and how")
    named = rig.file("silent.conf",
                     f"nameserver {wire.LINUX_B}\noptions timeout:1 attempts:1\n")
    done = rig.on_stack(sys.executable, "-c", say("silent.rumpus.test."), resolv=named)
    code, seconds = done.stdout.split()
    equal(code, "-3", "EAI_AGAIN")
    expect(0.9 < float(seconds) < 3, f"patience of {seconds} s")
    named = rig.file("nobody.conf", f"nameserver {wire.LINUX_A}\n")
    done = rig.on_stack(sys.executable, "-c", say("host.rumpus.test"), resolv=named)
    code, seconds = done.stdout.split()
    equal(code, "-3", "no server there: EAI_AGAIN")


@rig_test("names: AI_ADDRCONFIG is about the stack's interfaces; hosts of other alphabets")
def interfaces(rig):
    named = rig.file("named.conf", f"nameserver {wire.LINUX_B}\n")
    rig.wire.a.ip("addr", "flush", "dev", "br0")  # the host itself has no address but loopback
    done = rig.on_stack(sys.executable, "-c", """
from socket import *
for name in ("two.rumpus.test", "10.73.0.3", None):
    print(len({a[4][0] for a in getaddrinfo(name, 80, 0, SOCK_STREAM, 0, AI_ADDRCONFIG)}))
    try: print(getaddrinfo("six.rumpus.test", 80, AF_INET6, 0, 0, AI_ADDRCONFIG))
    except gaierror as e: print(e.errno)
""", resolv=named)
    equal(done.stdout.split(), ["2", "-2", "1", "-2", "1", "-2"], f"{done.stderr}")
    done = rig.on_stack("getent", "ahostsv4", "b\u00fccher.rumpus.test", resolv=named)
    expect(done.stdout.startswith("192.0.2.77"), f"{done.stdout} {done.stderr}")


@rig_test("names: a program that sets its own servers asks these; threads and children look up")
def programs(rig):
    named = rig.file("named.conf", "nameserver 10.73.0.77\noptions timeout:1 attempts:1\n")
    done = rig.on_stack(sys.executable, "-c", """
import ctypes, socket
libc = ctypes.CDLL(None)
libc.__res_state.restype = ctypes.POINTER(ctypes.c_ubyte)
assert libc.__res_init() == 0
state = libc.__res_state()
at = 20  # nsaddr_list: after retrans, retry, options, nscount
print(socket.inet_ntoa(bytes(state[at + 4:at + 8])))
for i, byte in enumerate(socket.inet_aton("10.73.0.3")):
    state[at + 4 + i] = byte
room = ctypes.create_string_buffer(512)
print(libc.res_query(b"host.rumpus.test", 1, 1, room, 512))
""", resolv=named)
    equal((done.stdout.split(), done.stderr), (["10.73.0.77", "66"], ""), "servers of its own")
    named = rig.file("named.conf", f"nameserver {wire.LINUX_B}\n")
    done = rig.on_stack(sys.executable, "-c", """
import os, socket, threading
def ask():
    for _ in range(20):
        right.append(len(socket.gethostbyname_ex("many.rumpus.test")[2]) == 60)
right = []
threads = [threading.Thread(target=ask) for _ in range(8)]
[t.start() for t in threads]
pid = os.fork()
if pid == 0:
    right.clear()
    ask()
    os._exit(sum(right))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
[t.join() for t in threads]
print(sum(right), len(os.listdir("/proc/self/fd")) < 16)
""", resolv=named)
    equal((done.stdout.split(), done.stderr), (["20", "160", "True"], ""), "threads")


@rig_test("names: a program that has changed its root looks up; one that names no stack asks Linux")
def roots(rig):
    named = rig.file("named.conf", f"nameserver {wire.LINUX_B}\n")
    ask = "import os, socket, encodings.idna\n" \
          "if ROOT: os.chroot(ROOT)\n" \
          "print(socket.gethostbyname('host.rumpus.test'))"
    root = f"{rig.wire.folder}/root"
    os.makedirs(f"{root}{rig.wire.folder}")
    with open(f"{root}{named}", "w", encoding="ascii") as f:
        f.write(f"nameserver {wire.LINUX_B}\n")
    done = rig.on_stack(sys.executable, "-c", ask.replace("ROOT", repr(root)), resolv=named)
    equal((done.stdout, done.stderr), ("192.0.2.42\n", ""), "in a root of its own")
    equal({q[0] for q in rig.asked()}, {wire.STACK_A}, "who asked")
    rig.mount("resolv.conf", f"nameserver {wire.LINUX_B}\n")
    done = rig.on_stack("env", "RUMPUS_RULES=host", sys.executable, "-c", ask.replace("ROOT", "''"))
    equal((done.stdout, done.stderr), ("192.0.2.42\n", ""), "without a stack")
    equal({q[0] for q in rig.asked()}, {wire.LINUX_A}, "who asked")


@rig_test("names: curl by name, both ways; rumpus run refuses a resolv.conf that is not there")
def curl(rig):
    named = rig.file("named.conf", f"nameserver {wire.LINUX_B}\n")
    page = rig.file("page", "hello")
    web = rig.wire.b.popen([sys.executable, "-m", "http.server", "8000", "--bind", wire.LINUX_B,
                            "--directory", rig.wire.folder], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        get = ["curl", "-sS", "-m", "20", "--retry", "9", "--retry-connrefused", "--retry-delay",
               "1", f"http://web.rumpus.test:8000/{os.path.basename(page)}"]
        done = rig.on_stack(*get, resolv=named)
        equal((done.returncode, done.stdout), (0, "hello"), f"page: {done.stderr}")
    finally:
        web.kill()
        web.wait()
    done = rig.on_stack("curl", "-sS", "-m", "20", "http://no.rumpus.test/", resolv=named)
    equal(done.returncode, 6, f"exit status of curl: {done.stderr}")
    done = rig.on_stack("true", resolv="/nonexistent")
    equal(done.returncode, 125, "exit status")
    expect("/nonexistent: No such file" in done.stderr, done.stderr)


if __name__ == "__main__":
    sys.exit(libe2e.main())
