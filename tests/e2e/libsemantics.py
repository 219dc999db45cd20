# SPDX-License-Identifier: BSD-2-Clause
"""What a program may expect of a socket: each row is cases, run on Linux and on the stack.

A case is one run of a program of tests/programs (calls_*.c, sem_*.c), which prints a line a call.
It runs on the host's own stack, and once more the same binary by `rumpus run --all`; the lines are
compared. semantics_known.py says which lines differ and why: one that is not there fails, and so
does one that is there but no longer seen.
"""
import concurrent.futures
import itertools
import os
import signal
import subprocess
import sys

import semantics_known
import wire
from libcalls import BROADCAST, NOBODY, PEER

LIMIT_S = 30
NOT_SAID, VARIES = "(not said)", "varies"
REST = "*"  # as a call: whatever the case does not come to on the stack

# Group, row, its cases: TOPIC/CASE of calls_TOPIC, or sem_TOPIC/CASE.
ROWS = (
    ("Descriptors", "types, SOCK_NONBLOCK, SOCK_CLOEXEC", ("socket/kinds", "socket/flags")),
    ("Descriptors", "families", ("socket/other-families",)),
    ("Descriptors", "dup, dup2, dup3, F_DUPFD to any number", ("fd/copies", "fd/copy-over",
                                                               "sem_desc/high-numbers")),
    ("Descriptors", "numbers used again are fresh sockets", ("fd/numbers", "fd/no-descriptor")),
    ("Descriptors", "closefrom, close_range, loops of close", ("sem_desc/close-all",)),
    ("Descriptors", "O_NONBLOCK by fcntl and FIONBIO", ("fd/nonblocking-by-either-name",)),
    ("Descriptors", "FIONREAD, SIOCOUTQ", ("sem_data/fill-up",)),
    ("Descriptors", "fstat, lseek and the calls for files", ("sem_desc/no-file",)),
    ("Descriptors", "stdio on a stream", ("sem_desc/stdio",)),
    ("Descriptors", "SCM_RIGHTS to a stranger", ("sem_desc/passing",)),
    ("Descriptors", "RLIMIT_NOFILE reached", ("fd/too-many", "sem_desc/numbers-run-out",
                                             "sem_desc/one-number-left")),
    ("Processes", "fork: both sides write, the last close ends it",
     ("proc/fork-both-write", "proc/fork-last-close", "proc/fork-shares")),
    ("Processes", "accept by four workers, processes and threads",
     ("proc/fork-accepts", "sem_proc/workers", "sem_proc/threads-accept")),
    ("Processes", "exec with and without CLOEXEC", ("proc/exec-keeps", "proc/exec-fails")),
    ("Processes", "posix_spawn", ("sem_proc/spawned",)),
    ("Processes", "vfork", ("sem_proc/vforked",)),
    ("Processes", "before the first constructor", ("sem_proc/early",)),
    ("Processes", "system, popen, a shell's redirections", ("sem_proc/by-shell",)),
    ("Processes", "daemonising", ("sem_proc/daemonised",)),
    ("Processes", "SIGKILL of the owner", ("proc/killed",)),
    ("Processes", "threads share a socket", ("proc/threads-share", "proc/many-in-flight",
                                             "proc/duplex")),
    ("Processes", "close and shutdown under a blocked call", ("proc/close-under",
                                                              "proc/shutdown-under")),
    ("Waiting", "readiness at each stage of a socket's life", ("wait/stages",)),
    ("Waiting", "select, poll, ppoll, pselect", ("wait/several", "wait/many", "wait/time-outs",
                                                 "wait/selects", "wait/both-directions")),
    ("Waiting", "woken by data, connections, ends, room", ("wait/woken", "data/blocked-writer")),
    ("Waiting", "epoll, level", ("sem_wait/level",)),
    ("Waiting", "epoll, edge", ("sem_wait/edge", "sem_wait/connect-by-edge")),
    ("Waiting", "epoll, one-shot", ("sem_wait/oneshot",)),
    ("Waiting", "EPOLLRDHUP: half-close", ("sem_wait/peer-ends",)),
    ("Waiting", "EPOLLRDHUP: close", ("sem_wait/peer-closes",)),
    ("Waiting", "EPOLLEXCLUSIVE", ("sem_wait/exclusive",)),
    ("Waiting", "nested epoll", ("sem_wait/nested",)),
    ("Waiting", "sockets and the host's descriptors in one set", ("sem_wait/mixed",)),
    ("Waiting", "an epoll set through fork", ("sem_wait/through-fork",)),
    ("Waiting", "EINTR", ("sem_intr/interrupted", "sem_intr/interrupted-writer")),
    ("Waiting", "SA_RESTART", ("sem_intr/restarted",)),
    ("Waiting", "epoll_pwait, ppoll, pselect: masks", ("sem_intr/masks",)),
    ("Waiting", "SO_RCVTIMEO, SO_SNDTIMEO", ("data/timeouts", "sem_intr/connect-timeout")),
    ("Waiting", "SIGIO, F_SETOWN, F_SETSIG", ("sem_intr/sigio",)),
    ("Waiting", "io_uring and bare system calls", ("sem_intr/io-uring",)),
    ("Connecting", "blocking: refused, told once", ("socket/connect-blocking", "peer/refused")),
    ("Connecting", "unreachable", ("socket/connect-unreachable", "socket/connect-no-neighbour")),
    ("Connecting", "non-blocking: EINPROGRESS, SO_ERROR, EALREADY, EISCONN",
     ("socket/connect-nonblocking",)),
    ("Connecting", "the error told once", ("socket/connect-refused-told-once",
                                           "sem_wait/connect-refused")),
    ("Connecting", "connect to oneself and to own listener", ("socket/connect-self",)),
    ("Connecting", "two that connect to each other", ("sem_conn/crossing",)),
    ("Connecting", "AF_UNSPEC takes a stream off its peer", ("sem_conn/unbind",)),
    ("Connecting", "a socket that is not connected", ("sem_conn/unconnected",)),
    ("Connecting", "bind: port 0, not ours, in use", ("socket/bind-stream",)),
    ("Connecting", "SO_REUSEADDR, SO_REUSEPORT", ("socket/bind-reuse", "socket/bind-time-wait",
                                                  "sem_conn/reuseport")),
    ("Connecting", "SO_REUSEADDR, SO_REUSEPORT of datagrams", ("sem_conn/bind-datagrams",
                                                               "sem_conn/last-bound")),
    ("Connecting", "getsockname, getpeername at each stage", ("socket/names",)),
    ("Connecting", "IPv6: mapped addresses, IPV6_V6ONLY, conflicts",
     ("sem_six/conflicts", "sem_six/connects", "sem_six/errors")),
    ("Accepting", "both families by one listener", ("sem_six/listens",)),
    ("Accepting", "backlog full", ("sem_conn/backlog-full",)),
    ("Accepting", "EAGAIN, accept4 flags, SO_ACCEPTCONN", ("sem_conn/accept-flags",
                                                           "socket/accepting")),
    ("Accepting", "a listener as a socket", ("sem_conn/listening",)),
    ("Accepting", "a peer gone before accept", ("socket/peer-gone-before-accept",)),
    ("Accepting", "close of a listener with connections queued", ("socket/listener-close",)),
    ("Data", "every length", ("data/lengths", "data/odd-sizes", "peer/echo")),
    ("Data", "readv, writev, sendmsg, recvmsg", ("data/vectors", "data/messages",
                                                 "sem_data/many-messages")),
    ("Data", "MSG_PEEK, WAITALL, DONTWAIT", ("data/peek-and-waitall", "data/waitall-waits")),
    ("Data", "MSG_TRUNC, MORE, NOSIGNAL and others", ("sem_data/flags",)),
    ("Data", "SO_PEEK_OFF", ("sem_data/peek-offset",)),
    ("Data", "MSG_OOB", ("data/urgent", "data/urgent-inline", "peer/urgent")),
    ("Data", "bad buffers", ("data/bad-buffers", "data/half-bad-buffers")),
    ("Data", "half-close each way, EPIPE, SIGPIPE",
     ("data/half-close", "data/shutdown-read", "data/shutdown-both", "data/sigpipe-kills",
      "peer/half-close")),
    ("Data", "the peer has closed", ("data/write-to-closed", "peer/fin")),
    ("Data", "the peer has reset", ("data/reset-by-linger", "data/reset-with-data", "peer/reset",
                                    "peer/close-unread")),
    ("Data", "sendfile", ("sem_data/sendfile", "sem_data/sendfile-big")),
    ("Data", "splice, tee, copy_file_range", ("sem_data/splice",)),
    ("Data", "SO_LINGER", ("opt/lingers", "opt/linger-waits")),
    ("Datagrams", "boundaries, lengths, EMSGSIZE", ("dgram/boundaries", "dgram/sizes",
                                                    "dgram/largest-at-once")),
    ("Datagrams", "truncation, MSG_TRUNC, FIONREAD", ("dgram/truncation", "sem_dgram/flags")),
    ("Datagrams", "connected", ("dgram/connected", "peer/datagrams")),
    ("Datagrams", "port unreachable", ("dgram/refused",)),
    ("Datagrams", "SO_BROADCAST", ("dgram/broadcast",)),
    ("Datagrams", "shutdown, full, vectors", ("dgram/shut", "dgram/overflow", "dgram/vectors")),
    ("Datagrams", "in pieces: MSG_MORE, UDP_CORK", ("sem_dgram/pieces",)),
    ("Datagrams", "several at once: UDP_SEGMENT, UDP_GRO", ("sem_dgram/segments",
                                                             "sem_dgram/joined")),
    ("Datagrams", "multicast", ("opt/multicast", "opt/group-six", "sem_dgram/groups")),
    ("Datagrams", "IP_MSFILTER, MCAST_MSFILTER: whole filters of sources",
     ("opt/whole-filter", "opt/whole-group-filter")),
    ("Datagrams", "MCAST_JOIN_SOURCE_GROUP, MCAST_BLOCK_SOURCE, MCAST_MSFILTER of IPv6",
     ("sem_six/sources", "sem_six/filters")),
    ("Datagrams", "IP_PKTINFO, IP_RECVTTL, IP_RECVTOS", ("sem_dgram/ancillary",)),
    ("Datagrams", "IP_RECVORIGDSTADDR, SO_RXQ_OVFL", ("sem_dgram/sent-to", "sem_dgram/drops")),
    ("Datagrams", "SO_TIMESTAMP, SO_TIMESTAMPNS", ("sem_dgram/stamps",)),
    ("Datagrams", "SO_ATTACH_FILTER", ("sem_dgram/filters",)),
    ("Datagrams", "IP_RECVERR", ("sem_dgram/error-queue",)),
    ("Datagrams", "sendmmsg, recvmmsg", ("sem_dgram/at-once", "sem_dgram/batches")),
    ("Datagrams", "dual-stack IPv6", ("sem_dgram/both-families",)),
    ("Datagrams", "IPV6_PKTINFO, IPV6_HOPLIMIT, IPV6_TCLASS", ("sem_six/ancillary",)),
    ("Datagrams", "IPV6_PKTINFO as an option", ("sem_six/sticky",)),
    ("Datagrams", "IPV6_RECVERR", ("sem_six/error-queue",)),
    ("Datagrams", "ping", ("sem_dgram/ping-raw", "sem_dgram/ping-datagram")),
    ("Options", "the calls' arguments", ("sem_opt/arguments", "opt/unknown", "opt/read-only")),
    ("Options", "SOL_SOCKET, each", ("sem_opt/socket", "sem_opt/datagrams")),
    ("Options", "SOL_SOCKET, what they do",
     ("opt/booleans", "opt/buffers", "opt/low-waters", "opt/receive-low-water", "opt/times",
      "opt/inherited")),
    ("Options", "SO_BINDTODEVICE, SO_BINDTOIFINDEX", ("sem_opt/device-options",
                                                      "sem_opt/device-filters")),
    ("Options", "SO_MAX_PACING_RATE", ("sem_opt/pacing-rate",)),
    ("Options", "IPPROTO_TCP, each", ("sem_opt/tcp",)),
    ("Options", "IPPROTO_TCP, what they do", ("opt/tcp", "opt/tcp-connected",
                                              "sem_opt/tcp-connected", "sem_opt/deferred",
                                              "sem_opt/not-sent", "sem_opt/in-queue")),
    ("Options", "IPPROTO_IP, each", ("sem_opt/ip",)),
    ("Options", "IPPROTO_IP, what they do", ("opt/ip", "sem_opt/mtu-discover")),
    ("Options", "IPPROTO_IPV6, each", ("sem_opt/ipv6",)),
    ("Options", "IPPROTO_IPV6, what they do", ("sem_six/mtu-discover",)),
    ("Names", "getifaddrs, if_nameindex", ("sem_names/interfaces",)),
    ("Names", "SIOCGIF*", ("sem_names/ioctls",)),
    ("Names", "getaddrinfo of numbers", ("sem_names/numeric",)),
    ("Names", "a connection from outside", ("peer/called-back",)),
)


# Cases of calls_*.c that other programs than theirs would not end, and what stands for them here.
NOT_RUN = {
    "data/fill-up": "sem_data/fill-up",  # counts on a full pipe that stays full
    "socket/listening": "sem_conn/listening",  # reads a listener that may block: see docs
    "opt/not-offered": "sem_opt/tcp",  # the same options, with what each gives
}


def program_of(topic):
    return topic if topic.startswith("sem_") else f"calls_{topic}"


def cases(topic):
    return subprocess.run([wire.program(program_of(topic))], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.split()


def unlisted():
    """Cases that no row names: there should be none."""
    named = {case for _, _, names in ROWS for case in names}
    topics = {case.split("/")[0] for case in named}
    return sorted({f"{t}/{c}" for t in topics for c in cases(t)} ^ named ^ set(NOT_RUN))


def numbered(lines):
    """{call: result}; the second "x" becomes "x #2"."""
    seen, results = {}, {}
    for line in lines:
        call, _, result = line.partition(" -> ")
        seen[call] = seen.get(call, 0) + 1
        results[call if seen[call] == 1 else f"{call} #{seen[call]}"] = result.strip()
    return results


def known(case):
    """{call: (what Linux gives, what the stack gives, why)}"""
    table = {call: (linux, stack, why) for why, rows in semantics_known.DIFFERENCES
             for name, call, linux, stack in rows if name == case}
    for option in semantics_known.REFUSED.get(case, "").split():
        for way in ("get", "set"):
            table.setdefault(f"{option} {way}", (VARIES, "ENOPROTOOPT", semantics_known.REFUSED_WHY))
    return table


class Outcome:
    """Of one case: every difference, and those of them that are news."""

    def __init__(self, case, linux, stack):
        table = known(case)
        calls = dict.fromkeys(itertools.chain(linux, stack))
        self.calls = len(calls)
        self.different = [(c, linux.get(c, NOT_SAID), stack.get(c, NOT_SAID)) for c in calls
                          if linux.get(c, NOT_SAID) != stack.get(c, NOT_SAID)]
        self.news = [d for d in self.different if not self.expected(table, *d)]
        seen = [d[0] for d in self.different]
        self.gone = [c for c in table if c not in seen and VARIES not in table[c][:2]]
        self.gone += [o for o in semantics_known.REFUSED.get(case, "").split()
                      if not {f"{o} get", f"{o} set"} & set(seen)]
        self.why = {d[0]: self.row(table, *d)[2] for d in self.different if self.row(table, *d)}
        self.reasons = list(dict.fromkeys(self.why.values()))

    @staticmethod
    def row(table, call, _, stack):
        return table.get(call) or (table.get(REST) if stack == NOT_SAID else None)

    def expected(self, table, call, linux, stack):
        want = self.row(table, call, linux, stack)
        return want is not None and want[0] in (linux, VARIES) and want[1] in (stack, VARIES)

    def wrong(self):
        """As text; empty: nothing."""
        lines = [f"{call}\n  Linux: {linux}\n  stack: {stack}" for call, linux, stack in self.news]
        return "\n".join(lines + [f"known to differ, and not seen: {call}" for call in self.gone])


class Bench:
    """One wire, one server and one peer for all cases."""

    def __init__(self):
        self.wire = wire.Wire()
        self.count = 0
        self.start()
        peer = self.wire.b.popen([sys.executable, "-c", PEER], stdout=subprocess.PIPE, text=True)
        self.args = [NOBODY, wire.LINUX_B, wire.listening(peer), BROADCAST]

    def start(self):
        self.count += 1
        self.control = f"{self.wire.folder}/control{self.count}"
        self.server = self.wire.server("a", "--control", self.control)

    def popen(self, stack, name, *args, **kw):
        command = [wire.program(name), *args]
        if stack:
            command = [wire.program("rumpus"), "-s", self.control, "run", "--all", "--", *command]
        return self.wire.a.popen(command, text=True, **kw)

    def run(self, stack, case):
        topic, _, name = case.partition("/")
        own = wire.STACK_A if stack else wire.LINUX_A
        process = self.popen(stack, program_of(topic), name, *self.args, own,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True)
        try:
            out, _ = process.communicate(timeout=LIMIT_S)
            code = process.returncode
            code = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            code = "did not end"
        return numbered(out.splitlines() + [f"the program -> {code}"])

    def outcome(self, case):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            linux = pool.submit(self.run, False, case)
            stack = self.run(True, case)
        result = Outcome(case, linux.result(), stack)
        if not self.server.alive():
            result.news.append(("the server", "alive", self.server.state()))
            self.start()
        return result

    def close(self, kind=None):
        self.wire.__exit__(kind, None, None)
