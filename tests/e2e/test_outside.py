#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A program from outside the tree is built against what `meson install` gave, and drives stacks."""
import os
import shutil
import subprocess
import sys
import tempfile

TREE = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BUILD = os.environ.get("RUMPUS_BUILD", os.path.join(TREE, "build"))
SOURCE = os.path.join(TREE, "tests/outside/driver.c")


def run(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120, **more)


def flags(env, *args):
    return run("pkg-config", *args, "rumpus", env=env).stdout.split()


def test_link(folder, root, env, how):
    """Builds and runs the driver. => what was wrong, "" when all held"""
    program = os.path.join(folder, f"driver-{how}")
    libs = flags(env, "--libs", *(["--static"] if how == "static" else []))
    if how == "static":
        libs = ["-Wl,-Bstatic" if x == "-lrumpus" else x for x in libs]
        libs = [y for x in libs for y in ([x, "-lrumpus", "-Wl,-Bdynamic"]
                                          if x == "-Wl,-Bstatic" else [x])]
    made = run("gcc", "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-o", program,
               os.path.join(folder, "driver.c"), *flags(env, "--cflags"), *libs, cwd=folder)
    if made.returncode != 0:
        return made.stdout
    library = os.path.dirname(next(os.path.join(d, f) for d, _, fs in os.walk(root) for f in fs
                                   if f == "rumpus.pc").rsplit("/pkgconfig", 1)[0] + "/x")
    done = run(program, cwd=folder, env={**os.environ, "LD_LIBRARY_PATH": library})
    wrong = [line for line in done.stdout.splitlines() if line.startswith(("not ok", "#"))]
    if done.returncode != 0 or done.stdout.count("\nok ") < 50:
        return "\n".join(wrong) + f"\nexit status {done.returncode}\n{done.stdout[-500:]}"
    return ""


def test_symbols(root):
    """Both libraries define rumpus_* and nothing else that a program can see."""
    wrong = ""
    for d, _, names in os.walk(root):
        for name in names:
            if not name.startswith(("librumpus.so.", "librumpus.a")):
                continue
            args = ["-D"] if ".so" in name else ["-g"]
            out = run("nm", "--defined-only", *args, os.path.join(d, name)).stdout
            seen = [line.split()[-1] for line in out.splitlines() if len(line.split()) == 3]
            if "rumpus_create" not in seen or "rumpus_sys_connect" not in seen:
                wrong += f"{name}: public names are missing\n"
            wrong += "".join(f"{name}: {s}\n" for s in seen if not s.startswith("rumpus_"))
    return wrong


def main():
    results = []
    with tempfile.TemporaryDirectory(prefix=f"rumpus-outside-{os.getpid()}-") as folder:
        root = os.path.join(folder, "root")
        done = run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root)
        results.append(("meson install", done.stdout if done.returncode else ""))
        shutil.copy(SOURCE, folder)
        pc = [d for d, _, names in os.walk(root) if "rumpus.pc" in names]
        env = {**os.environ, "PKG_CONFIG_PATH": ":".join(pc), "PKG_CONFIG_SYSROOT_DIR": root}
        results.append(("only rumpus_* is visible", test_symbols(root)))
        for how in ("shared", "static"):
            results.append((f"an outside program, {how}", test_link(folder, root, env, how)))
    print(f"1..{len(results)}")
    for i, (what, wrong) in enumerate(results, 1):
        print(f"{'not ok' if wrong else 'ok'} {i} - {what}")
        for line in wrong.strip().splitlines():
            print(f"# {line}")
    return 1 if any(wrong for _, wrong in results) else 0


if __name__ == "__main__":
    sys.exit(main())
