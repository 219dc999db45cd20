# SPDX-License-Identifier: BSD-2-Clause
# The front of the build; meson and ninja do the work.
CFLAGS_SAN = -fno-sanitize-recover=all -fno-omit-frame-pointer
NINJA = ninja
PY = python3

all: deps build/build.ninja
	@$(NINJA) -C build

help:
	@echo 'make            build into build/ (checks the packages it needs first)'
	@echo 'make check      every check and test; ends in "N passed, N failed"'
	@echo 'make demo       build, then show it at work'
	@echo 'make bench      the whole evaluation; FIG=2 for one figure, QUICK=1 for a short run'
	@echo 'make unit       the unit tests alone, with sanitizers; T=sys/kern/mbuf for some of them'
	@echo 'make e2e        the end-to-end tests alone; T=name for some of them'
	@echo 'make programs   the program suite: Linux programs under rumpus run; T=web for some of it'
	@echo 'make semantics  what sockets do, on the host and on the stack: a table; T=dgram for some of it'
	@echo 'make million    a million connections in a row: does the server grow? N=100000 for fewer'
	@echo 'make static     the static checks alone (layers, style, format, symbols)'
	@echo 'make sim        10,000 simulated worlds of many hosts; N=worlds, M=of them with failing allocations'
	@echo 'make interop    goodput to a Linux peer over losses and delays, against that of Linux; A="1 10" for 1 %, 10 ms'
	@echo 'make fuzz       fuzz each target for S=60 seconds; T=frames for one of them (clang)'
	@echo 'make instructions  what a segment costs in instructions (valgrind); PAGE=docs/performance.md to keep it'
	@echo 'make coverage   line and branch coverage of sys/ by unit tests, scripts and fuzz seeds'
	@echo 'make format     clang-format every .c and .h'
	@echo 'make tidy       clang-tidy and cppcheck: advice, not a gate'
	@echo 'make deps       see to the packages that are needed'
	@echo 'make clean      remove the build folders'

deps:
	@packaging/deps.sh

build/build.ninja:
	@meson setup build

build-clang/build.ninja:
	@CC=clang meson setup build-clang

build-asan/build.ninja:
	@meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 \
	    "-Dc_args=$(CFLAGS_SAN)" "-Dc_link_args=$(CFLAGS_SAN)"

build-tsan/build.ninja:
	@meson setup build-tsan -Db_sanitize=thread -Db_lundef=false -Doptimization=1 -Dtests=disabled

build-cov/build.ninja:
	@CC=gcc meson setup build-cov -Db_coverage=true -Doptimization=1

build-fuzz/build.ninja:
	@CC=clang meson setup build-fuzz -Dfuzz=true -Dtests=disabled -Doptimization=1 \
	    -Db_sanitize=address,undefined -Db_lundef=false \
	    "-Dc_args=-fsanitize=fuzzer-no-link $(CFLAGS_SAN)" "-Dc_link_args=$(CFLAGS_SAN)"

check: deps
	@tests/run

unit: deps
	@tests/run --only unit $(T)

e2e: deps
	@tests/run --only e2e $(T)

programs: all
	@packaging/deps.sh programs
	@tests/suite/run $(if $(PAGE),--page $(PAGE)) $(T)

semantics: all
	@tests/semantics $(T)

million: all
	@tests/suite/rows.py $(or $(N),1000000)

static: deps
	@tests/run --only static $(T)

demo: all
	@bench/demo

bench: all
	@packaging/deps.sh bench
	@bench/run $(if $(FIG),--fig $(FIG)) $(if $(QUICK),--quick) $(ARGS)

instructions: all
	@packaging/deps.sh bench
	@bench/instructions $(if $(PAGE),--page $(PAGE))

sim: all
	@build/rumpus sim --worlds $(or $(N),10000)
	@build/rumpus sim --nomem --worlds $(or $(M),60)

interop: all
	@tests/interop/run $(A)

fuzz: build-fuzz/build.ninja
	@$(NINJA) -C build-fuzz --quiet fuzz-targets
	@fuzz/run $(or $(S),60) $(T)

coverage: deps build-cov/build.ninja
	@tests/coverage

format:
	@git ls-files -z -co --exclude-standard '*.c' '*.h' | xargs -0r clang-format -i

tidy: build-clang/build.ninja
	@$(NINJA) -C build-clang
	@git ls-files -z '*.c' | xargs -0r -n 8 -P 2 clang-tidy -p build-clang --quiet
	@cppcheck --project=build-clang/compile_commands.json --quiet --inline-suppr \
	    --enable=warning,performance,portability --suppress=missingInclude

clean:
	@rm -rf build build-clang build-asan build-tsan build-fuzz build-cov

.PHONY: all help deps check unit e2e programs semantics static sim interop demo bench fuzz format tidy clean coverage
