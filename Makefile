# A thin layer over CMake: each target looks for what it needs (tools/need), configures the preset it is about and
# builds or runs. `make help` lists them.
#
#   PREFIX=/usr/local DESTDIR=   where `make install` puts things
#   FUZZ_SECONDS=20              how long `make fuzz` and `make test` run each fuzz target
#   COVERAGE_MIN=95              percent of the lines of src/tcp that `make coverage` asks for
#   TEST_PHASES=                 what `make test` runs, of tools/run-tests' phases; CI adds lint, coverage and the guard
#   JOBS=                        parallel jobs; as many as there are processors

PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
export FUZZ_SECONDS ?= 20
TEST_PHASES ?= release asan-unit fuzz armhf s390x
export COVERAGE_MIN ?= 95
export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)
export CTEST_PARALLEL_LEVEL := $(JOBS)
# CMake runs a make of its own, which has to do with this one's flags and job server nothing.
MAKEOVERRIDES =
unexport MAKEFLAGS MFLAGS MAKELEVEL

.DEFAULT_GOAL := all
.PHONY: all profiled debug demo test asan bench guard fuzz mutants coverage format lint analyze install clean help

all: ## build the library and the program, optimised, in build/
	@tools/need build
	@tools/build release

profiled: ## build the program, optimised by a profile of the benchmarks, in build-profiled/
	@tools/need build
	@tools/build-profiled

debug: ## build for the debugger, in build-debug/
	@tools/need build test
	@tools/build debug

demo: ## the main job: bring up a stack, serve the kernel's curl, show every segment and why
	@tools/need build demo
	@tools/build release beckon
	@build/beckon demo

test: ## run all tests, also sanitized, fuzzed and cross-built
	@tools/need build test fuzz cross
	@tools/run-tests $(TEST_PHASES)

asan: ## run the tests under the address and undefined-behaviour sanitizers
	@tools/need build test
	@tools/run-tests asan

bench: ## run the benchmarks, and write their tables into docs/performance.md (minutes; some need root)
	@tools/need build bench
	@tools/build release beckon
	@tools/bench-document

guard: ## compare instruction counts with bench/guard.json (tools/bench-guard --update rewrites it)
	@tools/need build guard
	@tools/run-tests guard

fuzz: ## run each fuzz target for FUZZ_SECONDS
	@tools/need build fuzz
	@tools/run-tests fuzz

mutants: ## break the core on purpose, in each way of tests/mutants: the tests must notice (minutes)
	@tools/need build fuzz
	@tools/mutants

coverage: ## line coverage of src/tcp by the unit tests; each uncovered line is named
	@tools/need build test coverage
	@tools/coverage

format: ## format all C files
	@tools/need format
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format-14 -i

lint: ## check the format, and the code with clang-tidy
	@tools/need build format lint
	@tools/lint

analyze: ## lint, and ask clang's analyzer too (takes minutes)
	@tools/need build format lint
	@tools/lint --analyze

install: all ## install into DESTDIR/PREFIX
	@cmake --install build --prefix "$(PREFIX)"

clean: ## remove all build directories
	rm -rf build build-*

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/    make \1|\2/p' Makefile | column -t -s '|'
