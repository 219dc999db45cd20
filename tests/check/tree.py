# SPDX-License-Identifier: BSD-2-Clause
"""What the checks share: the list of the project's own files."""
import os
import subprocess

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def tracked(*suffixes):
    """Paths from the top of the tracked files with such suffixes (all files when there is no git)."""
    git = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, check=False)
    if git.returncode == 0:
        names = git.stdout.decode().split("\0")
    else:
        names = [os.path.relpath(os.path.join(where, n), ROOT) for where, _, found in os.walk(ROOT)
                 if "/build" not in where and "/." not in where for n in found]
    return sorted(n for n in names if n and n.endswith(suffixes)
                  and os.path.isfile(os.path.join(ROOT, n)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()
