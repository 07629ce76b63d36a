# scanout: everything a person or CI runs. `make` lists the targets.

GO            ?= go
GOLANGCI      := v2.15.0
MODULE        := github.com/scanout-av/scanout
FUZZTIME      ?= 10s
FUZZTIME_LONG ?= 30s
TESTFLAGS     ?=
PLAYFLAGS     ?=
BENCH         ?=

# The module is built and tested without cgo; only the race detector needs it.
export CGO_ENABLED := 0

# Who runs make here trusts this checkout, whoever it belongs to.
export GIT_CONFIG_COUNT   := 1
export GIT_CONFIG_KEY_0   := safe.directory
export GIT_CONFIG_VALUE_0 := $(CURDIR)

# In CI a cached result is no result.
ifeq ($(CI),true)
TESTFLAGS += -count=1
STRICT    := -strict
endif

LINT    := .cache/golangci-lint-$(GOLANGCI)
RESULTS := .cache/results
TESTSUM := .cache/testsum -results $(RESULTS)
STEPS   := fmt vet lint generate unit race fuzz

# What vets: the platforms that must always compile.
PLATFORMS := linux/amd64 linux/arm64 darwin/arm64 windows/amd64

# Folders whose code runs on several goroutines or threads.
RACE := $(wildcard audio clock decode/ffmpeg decode/vkvideo egress framepool ingest internal/dl internal/libav internal/ring internal/rt \
	internal/udp internal/uring metrics player render telemetry)

.PHONY: help play build test bench lint generate packages-play packages-test $(STEPS:%=test-%) clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F':.*## ' '/^[a-z][a-z-]*:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

play: packages-play build ## play MEDIA=file-or-address, or the built-in clip
	@if [ -n "$$MEDIA" ]; then bin/scanout play $(PLAYFLAGS) "$$MEDIA"; else bin/scanout play $(PLAYFLAGS); fi

.PHONY: test-arm
test-arm: ## run the tests of arm64's assembly under qemu-aarch64
	GOARCH=arm64 $(GO) test -short -exec qemu-aarch64 ./yuv ./internal/resample

build: ## build bin/scanout
	@command -v $(GO) >/dev/null || { echo "make: needs Go 1.26 or newer: https://go.dev/dl"; exit 1; }
	$(GO) build -trimpath -o bin/scanout ./cmd/scanout

bench: build ## measure, BENCH="queue ffi ..." for some only
	bin/scanout bench $(BENCH)

lint: $(LINT) ## run the linters of .golangci.yml
	$(LINT) run ./...
	$(GO) mod tidy -diff

generate: ## write all generated code again
	$(GO) generate ./...

clean: ## remove what the targets here built
	rm -rf bin .cache

packages-play packages-test: packages-%:
	@internal/ci/packages.sh $*

$(LINT):
	install="env GOBIN=$(CURDIR)/.cache $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI)"; $$install || $$install
	@mv .cache/golangci-lint $@

# Every step runs, also after one has failed; the report decides. What has to come from a
# network is asked for twice before a step needs it.
test: packages-test .cache/testsum ## run all checks and tests; the last line sums up
	@rm -rf $(RESULTS)
	@$(GO) mod download || $(GO) mod download || true
	@for step in $(STEPS); do $(MAKE) --no-print-directory -s test-$$step || true; done
	@$(TESTSUM) report -module $(MODULE) -allow internal/ci/allowed-skips.txt $(STRICT) $(STEPS)

.PHONY: .cache/testsum
.cache/testsum:
	@$(GO) build -o $@ ./internal/ci/testsum

test-fmt: .cache/testsum
	@$(TESTSUM) step fmt -- sh -c 'bad=$$(gofmt -l .) && [ -z "$$bad" ] || { echo "not formatted by gofmt:" $$bad; exit 1; }'

test-vet: .cache/testsum
	@$(TESTSUM) step vet -- sh -ec 'for p in $(PLATFORMS); do echo "go vet $$p"; GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) vet ./...; done; \
		for m in $$(find . -mindepth 2 -name go.mod -not -path "*/testdata/*"); do cd $(CURDIR)/$${m%/go.mod}; echo "go vet $${m%/go.mod}"; \
			pkgs=$$($(GO) list ./... 2>&1); case $$pkgs in *"matched no packages") ;; *) $(GO) vet ./... ;; esac; done'

test-lint: .cache/testsum
	@$(TESTSUM) step lint -- $(MAKE) --no-print-directory lint

test-generate: .cache/testsum
	@$(TESTSUM) generate generate -go $(GO)

# One package at a time (-p 1): some play in real time, and two cores are few. Up to
# three tests that fail are run once more, each by itself; see internal/ci/testsum.
test-unit: .cache/testsum
	@$(TESTSUM) gotest unit -- $(GO) test -p 1 -timeout 20m $(TESTFLAGS) ./...

test-race: .cache/testsum
	@if command -v gcc >/dev/null; then \
		CGO_ENABLED=1 $(GO) build -race $(RACE:%=./%/...); \
		CGO_ENABLED=1 $(TESTSUM) gotest race -- $(GO) test -race -p 1 -timeout 20m $(TESTFLAGS) $(RACE:%=./%/...); \
	else $(TESTSUM) skip race "needs gcc (the race detector is linked with cgo)"; fi

test-fuzz: .cache/testsum
	@$(TESTSUM) fuzz fuzz -go $(GO) -time $(FUZZTIME) -long $(FUZZTIME_LONG) -longfor 'Y4M|Option|Flag|^cmd/'
