# hubfs. `make` alone lists what can be made.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
GO_TEST_TIMEOUT ?= 14m
PYTHON  = $(shell integration/setup path)/bin/python
TALLY   = bin/tally -python $(PYTHON)
# The Python suites run what was just built.
export HUBFS_BIN := $(CURDIR)/bin/hubfs

.DEFAULT_GOAL := help
.PHONY: help build demo test test-models test-deep test-long bench lint clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

build: ## bin/hubfs, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/hubfs ./cmd/hubfs

demo: build ## a small Hub on this machine, mounted, with a tour; no account, no network
	bin/hubfs demo

bin/tally: $(wildcard integration/tally/*.go)
	go build -o $@ ./integration/tally

test: ## install what the tests need, run everything but torch, close with the count
	@integration/setup test
	@$(MAKE) --no-print-directory build bin/tally
	@$(TALLY) -m 'not models' -pytest integration/clients -pytest integration/mount -- \
		-race -count=1 -timeout $(GO_TEST_TIMEOUT) ./...

test-models: ## the same for torch and sentence-transformers (installs about 6 GB at first)
	@integration/setup models
	@$(MAKE) --no-print-directory build bin/tally
	@$(TALLY) -m models -pytest integration/mount

# The tests of many cases have their sizes from HUBFS_PROOF; see integration/proof.
PROOFS = -run '^TestProof' -count=1

test-deep: ## kills, power cuts, faults and random operations in the sizes that a change must stand
	@integration/setup test
	@$(MAKE) --no-print-directory build bin/tally
	@HUBFS_PROOF=deep $(TALLY) -m deep -pytest integration/mount -- $(PROOFS) -timeout 30m ./...

test-long: ## the same in the sizes of a release, then fuzzing; hours
	@integration/setup test
	@$(MAKE) --no-print-directory build bin/tally
	@HUBFS_PROOF=long $(TALLY) -m deep -limit 3h -pytest integration/mount -- $(PROOFS) -timeout 12h ./...
	@integration/fuzz 20s

bench: build ## first figures beside curl, a raw range client and the plain file system; ID=B1,B8 PROFILE=S1
	go run ./integration/bench $(if $(wildcard $(PYTHON)),-python $(PYTHON)) $(if $(ID),-id $(ID)) $(if $(PROFILE),-profile $(PROFILE)) $(BENCH_FLAGS)

lint: ## gofmt, go vet, staticcheck
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "gofmt -w is needed on:"; echo "$$files"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

clean: ## remove what was built
	rm -rf bin
