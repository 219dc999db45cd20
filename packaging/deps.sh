#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Sees to the Debian packages that building and testing need: quick when they are there, installs
# what is missing as root, and says what to run otherwise. `deps.sh programs`: those of the program
# suite instead, where a program that cannot be had is a test skipped, no failure; `deps.sh bench`: the
# evaluation's, without which its report has no figures and fewer peers.
set -eu
need="gcc libc6-dev clang libclang-rt-14-dev meson ninja-build pkg-config libcmocka-dev libinih-dev libjansson-dev libc-ares-dev liburing-dev libpcap0.8-dev clang-format
clang-tidy cppcheck gcovr python3 binutils iproute2 iputils-ping curl netcat-openbsd tcpdump"
programs="curl wget netcat-openbsd socat openssh-server openssh-client iperf3 nginx-light wrk redis-server
redis-tools memcached haproxy dnsutils iputils-ping apache2-utils python3 postgresql-15 nodejs
traceroute iputils-tracepath"
bench="gnuplot-nox liblwip-dev passt iproute2 valgrind"
optional=false
if [ "${1:-}" = programs ]; then
	need=$programs
	optional=true
fi
if [ "${1:-}" = bench ]; then
	need=$bench
	optional=true
fi
give_up() {
	"$optional" && exit 0
	exit 1
}

if ! command -v dpkg-query >/dev/null 2>&1; then
	"$optional" && exit 0
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
	give_up
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
policy=
trap 'rm -f "$log" $policy' EXIT
if "$optional" && [ ! -e /usr/sbin/policy-rc.d ]; then
	policy=/usr/sbin/policy-rc.d # the suite starts its own servers; none of the system's
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
# shellcheck disable=SC2086
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
	cat "$log" >&2
	give_up
fi
echo "deps: done"
