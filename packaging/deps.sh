#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Sees to the Debian packages that building and testing need: quick when they are there, installs
# what is missing as root, and says what to run otherwise.
set -eu
need="gcc libc6-dev clang libclang-rt-14-dev meson ninja-build pkg-config libcmocka-dev libinih-dev libjansson-dev clang-format
clang-tidy cppcheck python3 binutils iproute2 iputils-ping curl netcat-openbsd"

if ! command -v dpkg-query >/dev/null 2>&1; then
	for tool in gcc clang meson ninja pkg-config python3 clang-format ip; do
		command -v "$tool" >/dev/null 2>&1 || { echo "deps: $tool is missing" >&2; exit 1; }
	done
	exit 0
fi
# shellcheck disable=SC2086
have=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $need 2>/dev/null |
    sed -n 's/^installed //p') || true
missing=
for package in $need; do
	printf '%s\n' "$have" | grep -qx "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "deps: missing:$missing" >&2
	echo "deps: run as root: apt-get install -y --no-install-recommends$missing" >&2
	exit 1
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
	cat "$log" >&2
	exit 1
fi
echo "deps: done"
