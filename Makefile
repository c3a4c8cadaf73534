# The commands of this project. Each installs and builds what it needs first, and skips what is up to date.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

HOST ?= 127.0.0.1
PORT ?= 49999
WORKSPACE ?= $(CURDIR)/workspace
# More arguments of the server: make run ARGS="--log-level debug"
ARGS ?=
FUZZ_SECONDS ?= 60
# The kernels that `make languages` installs beside Python's.
LANGUAGES ?= bash javascript r java

server := .build/release/code-interpreter
# Links the standard library statically: the program starts faster and runs without a toolchain.
release_build := swift build -c release --static-swift-stdlib --product code-interpreter
sources := Package.swift $(shell find Sources -type f)

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: python-environment $(server) ## install what is missing, build, and serve on PORT, HOST with WORKSPACE and ARGS
	@mkdir -p "$(WORKSPACE)"
	@exec "$(server)" serve --host "$(HOST)" --port "$(PORT)" --workspace "$(WORKSPACE)" --python-environment .venv $(ARGS)

.PHONY: languages
languages: python-environment ## install kernels of other LANGUAGES (bash javascript r java) into the kernels' environment
	@kernel/languages/install .venv $(LANGUAGES)

.PHONY: test
test: setup ## run all tests
	@scripts/test

.PHONY: bench
bench: setup ## run every benchmark and write Benchmarks/RESULTS.md
	@scripts/install-packages gcc wrk
	@Benchmarks/run

.PHONY: fuzz
fuzz: packages ## fuzz every parser for FUZZ_SECONDS
	@scripts/fuzz $(FUZZ_SECONDS)

.PHONY: lint
lint: ## check the format of the Swift files
	@swift format lint --strict -r Sources Tests Fuzz Package.swift

.PHONY: format
format: ## format the Swift files
	@swift format -i -r Sources Tests Fuzz Package.swift

.PHONY: image
image: ## build the container image
	@docker build -t code-interpreter .

.PHONY: setup
setup: python-environment $(server) ## install what is missing and build, without running anything

.PHONY: clean
clean: ## remove what was built and installed here
	rm -rf .build .build-* .venv .venv-*

.PHONY: packages
packages:
	@scripts/install-packages

.PHONY: python-environment
python-environment: packages
	@scripts/kernel-environment .venv

$(server): $(sources) | packages
	@echo "Building the server (the first time takes a minute or two)"
	@$(release_build)
	@touch $@
