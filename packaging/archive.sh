#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# archive.sh IN.a OUT.a: all of IN.a as one object whose global names are rumpus_* only.
set -eu
object=$2.o
trap 'rm -f "$object"' EXIT
ld -r -o "$object" --whole-archive "$1"
objcopy --wildcard --keep-global-symbol='rumpus_*' "$object"
rm -f "$2"
ar rcsD "$2" "$object"
