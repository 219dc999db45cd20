# SPDX-License-Identifier: BSD-2-Clause
"""docs/programs.md: what the suite ran and what it showed, written by `tests/suite/run --page`."""
import os
import platform
import re
import subprocess

# What a test's name calls it, its Debian package, and what it is on the stack.
PROGRAMS = [
    ("curl", "curl", "client"),
    ("wget", "wget", "client"),
    ("nc", "netcat-openbsd", "client, server"),
    ("socat", "socat", "client, server"),
    ("ssh", "openssh-client", "client (ssh, scp)"),
    ("sshd", "openssh-server", "server"),
    ("iperf3", "iperf3", "client, server"),
    ("nginx", "nginx-light", "server"),
    ("wrk", "wrk", "client"),
    ("ab", "apache2-utils", "client"),
    ("haproxy", "haproxy", "server and client at once"),
    ("redis", "redis-server", "client, server"),
    ("memcached", "memcached", "server; Python clients"),
    ("PostgreSQL", "postgresql-15", "client (psql, pgbench), server"),
    ("python3", "python3", "client, server (http.server, asyncio)"),
    ("node", "nodejs", "client, server"),
    ("java", "default-jdk-headless", "client (HttpClient), server (HttpServer)"),
    ("dig", "bind9-dnsutils", "client"),
    ("ping", "iputils-ping", "client"),
    ("getent", "libc-bin", "client of the resolver"),
    ("io_uring", "liburing2", "a program without the library"),
]

HEAD = """# Programs on the stack

`make programs` runs unmodified Debian programs under `rumpus run`, each with a real Linux peer on the
other end of a wire between two network namespaces, and in both roles where it has two. This page is
written by `make programs PAGE=docs/programs.md`; the code is in `tests/suite/`. A quick part of the
suite is in `make check`.

Last written on Linux {kernel}, {cores} cores of {machine}. Both ends, the stack and other work share
these, so the figures say that things work and of what order they are; `make bench` measures.
{summary}.
"""


def words_of(*argv):
    try:
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []


def version(name, package):
    """Of the Debian package, or as the program says it."""
    words = words_of("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package)
    if name == "python3":
        return platform.python_version()
    if words[:1] == ["installed"]:
        return words[1]
    return next((w for w in words_of(name, "--version") if re.match(r"\d+\.", w)), "-")


class Page:
    """Collects what the groups print."""

    def __init__(self):
        self.groups = []  # (title, [(name, outcome, [shown])])

    def add(self, path, output):
        with open(path, encoding="utf-8") as f:
            title = re.search(r'^"""(.*?)"""', f.read(), re.S | re.M).group(1)
        tests, shown = [], []
        for line in output.splitlines():
            m = re.match(r"(not ok|ok)\s+\d+\s+-\s+(.*?)(?:\s+#\s*SKIP\s*(.*))?$", line)
            if m is None:
                shown += [line[2:]] if line.startswith("# ") else []
                continue
            outcome = "**failed**" if m.group(1) != "ok" else \
                "passed" if m.group(3) is None else f"skipped: {m.group(3)}"
            tests.append([m.group(2), outcome, shown if m.group(1) == "ok" else []])
            shown = []
        self.groups.append((" ".join(title.split()), tests))

    def write(self, path, summary):
        with open(path, "w", encoding="utf-8") as f:
            f.write(HEAD.format(kernel=platform.release().split("-")[0], cores=os.cpu_count(),
                                machine=platform.machine(), summary=summary))
            f.write("\n| program | version | on the stack | tests |\n|---|---|---|---|\n")
            for name, package, role in PROGRAMS:
                f.write(f"| {name} | {version(name, package)} | {role} | {self.outcomes(name)} |\n")
            for title, tests in self.groups:
                f.write(f"\n## {title}\n\n| what was run | outcome | what it showed |\n|---|---|---|\n")
                for name, outcome, shown in tests:
                    text = "<br>".join(shown).replace("|", "\\|")
                    f.write(f"| {name} | {outcome} | {text} |\n")

    def outcomes(self, name):
        found = [t for _, tests in self.groups for t in tests
                 if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", t[0])]
        counts = {word: sum(word in t[1] for t in found) for word in ("passed", "failed", "skipped")}
        return ", ".join(f"{n} {word}" for word, n in counts.items() if n) or "none"
