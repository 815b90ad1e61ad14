# rst-analyze: `make help` lists the targets.

SWIFT ?= swift
BINARY = .build-release/release/rst-analyze
PREFIX ?= /usr/local
# Linked statically against Swift's libraries: it runs where Swift is not installed, and a few percent faster.
RELEASE = $(SWIFT) build -c release --scratch-path .build-release --product rst-analyze \
	--static-swift-stdlib -Xswiftc -cross-module-optimization

.DEFAULT_GOAL := help
.PHONY: help deps build release demo test test-fleet test-cluster accuracy check lint format bpf bpf-check fixtures bench bench-provoke bench-hooks bench-record bench-watch causes client-table fuzz readme install deb test-deb tarball image check-deploy clean test-kernels test-kernel-6.1

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

deps: ## Install what is missing from Debian's packages
	@scripts/install-deps

build: deps ## Build for development
	$(SWIFT) build

release: deps ## Build the program as it is installed
	$(RELEASE)

demo: release ## Provoke a handful of resets, record them and print the report
	@scripts/demo $(BINARY)

test: deps ## Run every test (root: the live tests too)
	$(SWIFT) build --build-tests
	@SWIFT="$(SWIFT)" scripts/run-tests
	@scripts/test-fleet

test-fleet: ## Run the tests of fleet/ (Python)
	@scripts/test-fleet

test-cluster: ## Run fleet/ on a Spark cluster on this machine, a worker of which is killed
	@scripts/test-fleet cluster

accuracy: build ## Measure the wire-only verdicts against what the kernel proves (root)
	@scripts/measure-accuracy .build/debug/rst-analyze

check: deps lint bpf-check test ## Everything that CI asks: format, generated files, warnings, tests, accuracy
	@scripts/accuracy .build/debug/rst-analyze --floor scripts/accuracy-floor.json --set filtered fixtures \
		>.build/accuracy || { cat .build/accuracy; exit 1; }
	@tail -n 1 .build/accuracy

lint: deps ## Check the formatting of all sources
	$(SWIFT) format lint --strict --recursive --parallel Sources Tests Package.swift
	clang-format --dry-run -Werror $(C_SOURCES)

format: deps ## Format all sources
	$(SWIFT) format --in-place --recursive --parallel Sources Tests Package.swift
	clang-format -i $(C_SOURCES)

C_SOURCES = $(shell git ls-files '*.c' '*.h' | grep -v -e /generated/ -e /include/rst_event.h)

bpf: deps ## Compile the BPF programs into Sources/CLibBPF/generated
	scripts/bpf-build Sources/CLibBPF/generated/rst_object.c

bpf-check: deps ## Check that the compiled BPF programs are those of bpf/
	scripts/bpf-check

fixtures: build ## Record the fixtures anew on this machine's kernel (root)
	scripts/make-fixtures .build/debug/rst-analyze

bench: release ## Measure report against a C scanner, tcpdump and tshark, with ratios
	bench/run --tshark --growth

fuzz: deps ## Fuzz every reader of untrusted bytes (SECONDS= each, 60)
	fuzz/run --seconds $(or $(SECONDS),60)

causes: build ## Write docs/causes.md from the catalogue
	.build/debug/rst-analyze explain --format markdown >docs/causes.md

client-table: build ## Reset curl, Python, Java, Node and psql and write what they show into docs/provoke.md
	scripts/client-table .build/debug/rst-analyze

bench-provoke: release ## Measure connections a second through the proxy against haproxy and socat (root)
	bench/provoke

bench-watch: release ## Measure the latency, memory and processor time of watch (root)
	mkdir -p .build/bench
	$(CC) -O2 -Wall -Wextra bench/flood.c -o .build/bench/flood
	bench/watch $(BINARY) .build/bench/flood

bench-record: release ## Measure what record costs, against perf and tcpdump (root, perf)
	mkdir -p .build/bench
	for part in flood load; do $(CC) -O2 -Wall -Wextra bench/$$part.c -o .build/bench/$$part || exit 1; done
	bench/record $(BINARY) .build/bench/flood .build/bench/load

bench-hooks: deps ## Measure what the hooks cost the host (root)
	mkdir -p .build/bench
	$(CC) -O2 -Wall -Wextra -pthread -ISources/CLibBPF/include -ISources/CLibBPF bench/hooks.c Sources/CLibBPF/*.c \
		Sources/CLibBPF/generated/rst_object.c -lbpf -o .build/bench/hooks
	.build/bench/hooks

readme: build ## Run the commands of README.md and docs/reading.md and write what they print below them
	scripts/update-readme .build/debug/rst-analyze

install: release ## Install the program, manual pages, completions, systemd unit and Wireshark plugin below PREFIX (/usr/local)
	SWIFT="$(SWIFT)" scripts/install-files $(BINARY) "$(DESTDIR)" $(PREFIX)

deb: release ## Make a Debian package: .build/deb/rst-analyze_VERSION_ARCH.deb
	SWIFT="$(SWIFT)" scripts/make-deb $(BINARY)

test-deb: deb ## Install the package in fresh Debian 12 and 13 trees and run it there (root, debootstrap)
	scripts/test-deb $(BINARY)

tarball: release ## Make an archive to unpack below /usr/local: .build/tarball/rst-analyze-VERSION-ARCH.tar.xz
	SWIFT="$(SWIFT)" scripts/make-tarball $(BINARY)

image: deb ## Build a container image from the package (buildah)
	scripts/make-image

check-deploy: ## Check share/kubernetes against the schemas of Kubernetes
	scripts/check-deploy

test-kernels: deps ## Run selftest on Debian's kernels 5.10, 6.1 and 6.12 and write docs/kernels.md
	scripts/test-kernels --write

test-kernel-6.1: deps ## The same on 6.1 alone, as CI does
	scripts/test-kernels --quick

clean: ## Remove what was built
	rm -rf .build .build-*
