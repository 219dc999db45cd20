# SPDX-License-Identifier: BSD-2-Clause
"""The wire that benchmarks and end-to-end tests run on: two hosts in network namespaces.

    host a                                            host b
    10.73.0.2 (Linux)   10.73.0.1 (stack)             10.73.0.3 (Linux)
         br0 ------------- tap0                             |
          |                                                 |
         wire ============= a veth pair ================= wire

With both=True host b has a bridge too, and a stack of its own at 10.73.0.4 on its tap0.
congestion names the congestion control of both Linux hosts; without it, it is the machine's.

enter() moves the calling program into user (unless root), mount, network and process namespaces of
its own. Whatever way it then ends, SIGKILL included, the system takes everything away: processes,
interfaces, namespaces, and the files of sockets, which live on a /run of its own.
"""
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time

STACK_A, LINUX_A, LINUX_B, STACK_B = "10.73.0.1", "10.73.0.2", "10.73.0.3", "10.73.0.4"
LINKED_A, PEER_A = "10.73.0.5", "10.73.0.6"
ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
BUILD = os.path.abspath(os.environ.get("RUMPUS_BUILD", os.path.join(ROOT, "build")))
READY_LIMIT_S = 20
END_LIMIT_S = 10

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x10000000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Unavailable(Exception):
    """This machine does not let us build the wire. The text says why and what to try."""


class Failed(Exception):
    """A program of ours did not do its work. The text has its own words."""


def complain(program, text):
    print(f"{program}: {text}", file=sys.stderr)


# --- namespaces ---------------------------------------------------------------------------------

_libc = ctypes.CDLL(None, use_errno=True)


def _call(what, advice, function, *args):
    if function(*args) != 0:
        why = os.strerror(ctypes.get_errno())
        raise Unavailable(f"{what}: {why}; try: {advice}")


def _write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def _mount(kind, where):
    _call(f"mounting {kind} on {where}", "as root, or outside a container", _libc.mount,
          b"none", where.encode(), kind.encode(), 0, None)


def _own_namespaces():
    """Everything but the process namespace, which begins with the next child."""
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | (0 if uid == 0 else CLONE_NEWUSER)
    advice = "as root" if uid else "in a container that has CAP_SYS_ADMIN"
    if uid:
        advice += ", or allow it: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone"
    _call("namespaces", advice, _libc.unshare, flags)
    if uid:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
    _call("private mounts", advice, _libc.mount, b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    _mount("tmpfs", "/run")
    os.makedirs("/run/netns")


def _check_tools():
    for tool in ("ip", "nsenter"):
        if shutil.which(tool) is None:
            raise Unavailable(f"{tool}: not found; try: apt-get install iproute2 util-linux")
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as e:
        advice = "modprobe tun" if e.errno != 13 else "as root, or chmod 666 /dev/net/tun"
        raise Unavailable(f"/dev/net/tun: {e.strerror}; try: {advice}") from None


def _watch(child):
    """The program as its caller knows it: passes signals on, ends as the child ends."""
    for s in ENDING:
        signal.signal(s, lambda number, _: os.kill(child, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _interrupted(number, _frame):
    for s in ENDING:
        signal.signal(s, signal.SIG_IGN)
    raise SystemExit(128 + number)


def enter():
    """Returns in a child of the caller, inside; raises Unavailable in the caller itself."""
    _check_tools()
    _own_namespaces()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    sys.stdout.flush()
    alive, parent_end = os.pipe()
    child = os.fork()
    if child:
        os.close(alive)
        _watch(child)
    os.close(parent_end)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if select.select([alive], [], [], 0)[0]:
        os._exit(1)  # the parent was gone before
    os.close(alive)
    for s in ENDING:
        signal.signal(s, _interrupted)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    try:
        _mount("proc", "/proc")
    except Unavailable:
        pass  # some containers forbid it; the old one does, but for the CPU time of processes


def ip(*words):
    done = subprocess.run(["ip", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"ip {' '.join(words)}: {done.stdout.strip()}")
    return done.stdout


class Host:
    """A network namespace."""

    def __init__(self, name):
        self.name = name
        ip("netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words):
        return ip("-n", self.name, *words)

    def command(self, argv):
        return ["nsenter", f"--net=/run/netns/{self.name}", "--", *argv]

    def popen(self, argv, **kw):
        return subprocess.Popen(self.command(argv), **kw)

    def run(self, argv, **kw):
        return subprocess.run(self.command(argv), check=False, **kw)

    def bridge(self, address, *kind):
        """Joins wire and a tap (of that kind); the host's own address is the bridge's."""
        self.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        self.ip("tuntap", "add", "dev", "tap0", "mode", "tap", *kind)
        for port in ("wire", "tap0"):
            self.ip("link", "set", port, "master", "br0")
        for interface in ("wire", "tap0", "br0"):
            self.up(interface)
        self.ip("addr", "add", f"{address}/24", "dev", "br0")

    def up(self, interface):
        self.ip("link", "set", "dev", interface, "addrgenmode", "none")
        self.ip("link", "set", "dev", interface, "up")

    def tc(self, verb, rate=None, queue="10ms"):
        """add: shapes what leaves by the wire to a rate, with a queue of so long; del: no more."""
        words = ["tc", "qdisc", verb, "dev", "wire", "root"]
        if rate:
            words += ["tbf", "rate", rate, "burst", "256k", "latency", queue]
        done = self.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Failed(f"{' '.join(words)}: {done.stdout.strip()}")

    def congestion(self, name=None):
        """Sets the congestion control of its new TCP connections, or says which it is."""
        path = "/proc/sys/net/ipv4/tcp_congestion_control"
        command = f"echo {name} >{path}" if name else f"cat {path}"
        done = self.run(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                        text=True)
        if done.returncode != 0:
            raise Failed(f"congestion control {name}: {done.stderr.strip()}")
        return done.stdout.strip()

    def remove(self):
        ip("netns", "del", self.name)


class Wire:
    """Two hosts and what is between them. A context manager."""

    _count = 0

    def __init__(self, both=False, rate=None, congestion=None, kind=()):
        Wire._count += 1
        self.tag = f"{os.getppid() or os.getpid()}-{Wire._count}"
        self.folder = f"/run/rumpus-{self.tag}"
        self.servers = []
        self.hosts = []
        os.mkdir(self.folder)
        self.a, self.b = self._host("a"), self._host("b")
        ip("link", "add", "wire", "netns", self.a.name, "type", "veth", "peer", "name", "wire",
           "netns", self.b.name)
        self.a.bridge(LINUX_A, *kind)
        if both:
            self.b.bridge(LINUX_B, *kind)
        else:
            self.b.up("wire")
            self.b.ip("addr", "add", f"{LINUX_B}/24", "dev", "wire")
        for host in self.hosts if rate else ():
            host.tc("add", rate)
        for host in self.hosts if congestion else ():
            host.congestion(congestion)

    def _host(self, letter):
        self.hosts.append(Host(f"rumpus-{self.tag}-{letter}"))
        return self.hosts[-1]

    def server(self, side="a", *options, url=None, tap="", driver="tap:tap0", address=None):
        """Starts rumpusd on that side's tap (with more of its keys); it is ready on return.

        On another interface than tap0, on host a, it has the spare address; or the one given.
        """
        host, usual = (self.a, STACK_A) if side == "a" else (self.b, STACK_B)
        if driver.startswith("tap:") and driver != "tap:tap0":
            usual = PEER_A
        address = address or usual
        url = url or f"unix://{self.folder}/{side}{len(self.servers)}.sock"
        log = f"{self.folder}/{side}{len(self.servers)}.log"
        server = Server(host, address, url, log, [f"{driver},addr={address}/24{tap}", *options])
        self.servers.append(server)
        return server

    def more_tap(self, name):
        """Another tap on host a's bridge."""
        self.a.ip("tuntap", "add", "dev", name, "mode", "tap")
        self.a.ip("link", "set", name, "master", "br0")
        self.a.up(name)

    def linked(self):
        """Programs that have the stack linked in, on a tap of their own: one at a time."""
        self.more_tap("tap1")
        return Endpoint(LINKED_A, self.a, "-linked",
                        {"BENCH_TAP": "tap1", "BENCH_ADDR": f"{LINKED_A}/24"})

    def linux(self, side):
        host, address = (self.a, LINUX_A) if side == "a" else (self.b, LINUX_B)
        return Endpoint(address, host, "", {})

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        ended = [(server, server.stop()) for server in self.servers]
        words = [f"rumpusd ended with status {status}: {server.text().strip()[-4000:]}"
                 for server, status in ended if status not in (0, -signal.SIGKILL)]
        for host in self.hosts:
            host.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
        if words and kind is None:
            raise Failed("; ".join(words))


# --- programs -----------------------------------------------------------------------------------

def program(name):
    path = os.environ.get("RUMPUS_" + name.upper()) or os.path.join(BUILD, name)
    if not os.access(path, os.X_OK):
        raise Unavailable(f"{path}: not built; try: make")
    return path


class Endpoint:
    """Where the study's programs run: on a host's own stack, or on ours.

    suffix names the build of the program, before is what the command begins with.
    """

    def __init__(self, address, host, suffix, env, before=()):
        self.address, self.host, self.suffix, self.env = address, host, suffix, env
        self.before = list(before)

    def command(self, name, *args):
        return [*self.before, program(name + self.suffix), *args]

    def popen(self, name, *args, **kw):
        return self.host.popen(self.command(name, *args), env={**os.environ, **self.env},
                               text=True, **kw)


class Server:
    """A running rumpusd.

    endpoint is its sysproxy door; unchanged programs run at fdsock_endpoint(), if its arguments
    have a --control.
    """

    def __init__(self, host, address, url, log, arguments):
        self.url, self.address, self.host, self.log = url, address, host, log
        self.control = None
        if "--control" in arguments:
            self.control = arguments[arguments.index("--control") + 1]
        self.endpoint = Endpoint(address, host, "-rump",
                                 {"RUMP_SERVER": url, "RUMPUS_CLIENT_VM": "1"})
        ready, tell = os.pipe()
        command = [program("rumpusd"), "-f", "--sysproxy", url, "--ready-fd", str(tell), "-i",
                   *arguments]
        with open(log, "wb") as out:
            self.process = host.popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                      pass_fds=[tell])
        os.close(tell)
        try:
            if not select.select([ready], [], [], READY_LIMIT_S)[0] or not os.read(ready, 1):
                self.stop()
                raise Failed(f"rumpusd did not start: {self.text().strip()}")
        finally:
            os.close(ready)

    def fdsock_endpoint(self):
        return Endpoint(self.address, self.host, "", {},
                        (program("rumpus"), "-s", self.control, "run", "--"))

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def state(self):
        """For messages: how it ended, if it did, and what it said."""
        code = self.process.poll()
        end = "" if code is None else f"; rumpusd ended with status {code}"
        return f"{end}: {self.text().strip()[-2000:]}"

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        """Ends it. Returns its exit status."""
        if self.alive():
            self.process.terminate()
        try:
            return self.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def env(self):
        return {**os.environ, **self.endpoint.env}

    def rumpus(self, *words):
        done = subprocess.run([program("rumpus"), "-s", self.url, *words], text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        if done.returncode != 0:
            raise Failed(f"rumpus {' '.join(words)[:60]}: {done.stderr.strip()} {self.state()}")
        return done.stdout

    def set(self, **values):
        """set(kern__mbuf__mclnum=4)"""
        self.rumpus("sysctl", *(f"{k.replace('__', '.')}={v}" for k, v in values.items()))

    def get(self, *names):
        """The variables named, or all, as a dictionary."""
        return json.loads(self.rumpus("sysctl", "-j", *names))

    def cpu_s(self):
        """User and system time so far; 0 where it cannot be seen."""
        return cpu_s(self.process.pid)

    def status(self):
        """Resident KiB and the number of descriptors; None where they cannot be seen."""
        try:
            with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
                rss = [int(line.split()[1]) for line in f if line.startswith("VmRSS:")]
            return {"rss_kib": rss[0], "fds": len(os.listdir(f"/proc/{self.process.pid}/fd"))}
        except (OSError, IndexError):
            return None


def cpu_s(pid):
    """The time of all threads of a process, to the nanosecond where the kernel says it."""
    try:
        total = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        return total / 1e9
    except (OSError, IndexError, ValueError):
        pass
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def listening(process):
    """The port that a program of ours says it listens on."""
    line = process.stdout.readline().split()
    if len(line) != 3 or line[0] != "listening":
        raise Failed(f"{process.args[-1]}: does not listen: {_last_words(process)}")
    return line[2]


def _last_words(process):
    """Kills it. Children that it leaves behind may hold its pipes: those are not waited for."""
    process.kill()
    try:
        return process.communicate(timeout=1)[1].strip()
    except subprocess.TimeoutExpired:
        return ""


def finish(process, limit_s, name):
    """The lines of JSON that a program of ours says until it ends well, within the time."""
    try:
        out, errors = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise Failed(f"{name}: did not end within {limit_s:g} s: {_last_words(process)}") from None
    if process.returncode != 0:
        raise Failed(f"{name}: exit status {process.returncode}: {errors.strip()}")
    return [json.loads(line) for line in out.splitlines()]


def transfer(sender, reader, *options, count=1, limit_s=60):
    """A write server on one endpoint, a read client with these options on the other.

    Returns (the reader's result, the sender's results, one a connection).
    """
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    out = sender.popen("writeserver", "-a", sender.address, "-p", "0", "-c", str(count), **pipes)
    into = None
    try:
        port = listening(out)
        into = reader.popen("readclient", "-a", sender.address, "-p", port, "-c", str(count),
                            *options, **pipes)
        result = finish(into, limit_s, "readclient" + reader.suffix)
        return result[0], finish(out, limit_s, "writeserver" + sender.suffix)
    except Failed as e:
        raise Failed(f"{e} (writeserver: {_last_words(out)})") from None
    finally:
        for process in (out, into):
            if process is not None:
                process.kill()
                process.wait()
                process.stdout.close()
                process.stderr.close()


def wait_until(condition, limit_s=10.0, step_s=0.02):
    """Polls. Returns whether it came true in time."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(step_s)
    return True
