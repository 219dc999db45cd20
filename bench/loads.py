# SPDX-License-Identifier: BSD-2-Clause
"""Runs the program `load`: its server's mode at one end, its client's at the other."""
import contextlib
import json
import subprocess

import wire

PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
ENDS_S = 10


def _json(process, limit_s, what):
    try:
        out, errors = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        _, errors = process.communicate()
        raise wire.Failed(f"load {what}: no end in {limit_s:g} s: {errors.strip()}") from None
    if process.returncode != 0:
        raise wire.Failed(f"load {what}: exit status {process.returncode}: {errors.strip()}")
    lines = out.strip().splitlines()
    return json.loads(lines[-1]) if lines else {}


@contextlib.contextmanager
def serving(end, mode, *options):
    """The server's mode, running: (process, port)."""
    process = end.popen("load", mode, "-a", end.address, *options, **PIPES)
    try:
        yield process, wire.listening(process)
    finally:
        process.kill()
        process.wait()
        for f in (process.stdin, process.stdout, process.stderr):
            f.close()


def client(end, mode, address, port, *options, limit_s=60):
    process = end.popen("load", mode, "-a", address, "-p", port, *options, **PIPES)
    try:
        return _json(process, limit_s, mode)
    finally:
        process.kill()
        process.wait()


def pair(server, server_mode, end, mode, *options, server_options=(), own_end=True):
    """(the client's result, the server's, {} if it has no end of its own)"""
    with serving(server, server_mode, *server_options) as (process, port):
        try:
            got = client(end, mode, server.address, port, *options)
        except wire.Failed as e:
            process.kill()
            raise wire.Failed(f"{e} (server: {process.communicate()[1].strip()})") from None
        return got, _json(process, ENDS_S, server_mode) if own_end else {}


def alone(end, mode, *options):
    process = end.popen("load", mode, *options, **PIPES)
    try:
        return _json(process, 60, mode)
    finally:
        process.kill()
        process.wait()
