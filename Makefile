# make help lists the targets. All of them are incremental: what is up to date is
# not made again.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
# Services and CI often have none: the user database knows it.
ifeq ($(HOME),)
export HOME := $(shell unset HOME; echo ~)
endif

VERSION := 0.1.0
BUILD := build
DIST := dist
TOOLS := $(BUILD)/tools
GO_BUILD := go build -trimpath -buildvcs=false -ldflags='-s -w -X main.version=$(VERSION)'

RUST_SOURCES := $(shell find capsules -name target -prune -o \( -name '*.rs' -o -name 'Cargo.*' -o -name '*.toml' \) -print 2>/dev/null) $(wildcard capsules/hostile/*.wat)
WEB_SOURCES := $(shell find web/src -type f 2>/dev/null) web/index.html web/kernel.d.ts web/console.d.ts web/boot.d.ts web/codes.d.ts web/vite.config.ts web/tsconfig.json
# The list is one of them: a source that is gone builds anew, too.
RUST_FILES := $(RUST_SOURCES) $(BUILD)/rust-sources
WEB_FILES := $(WEB_SOURCES) $(BUILD)/web-sources
CAPNP := schema/system/v1
# Two at a time, unless the caller said how many. Its lines begin with +, as those with
# $(MAKE) in them need not: make counts it among its own.
PARALLEL = $(MAKE) $(if $(findstring jobserver,$(MAKEFLAGS)),,-j2)

# What each goal needs. It is looked for before anything is made, for all goals at
# once, so that what is missing is named in one line and nothing is half done.
needs_demo := rust chromium
needs_run := rust
needs_test := rust rust-lint cc browsers
needs_lint := rust rust-lint
needs_fmt := rust rust-lint
needs_test-kills := browsers
needs_test-hostile := rust browsers
needs_test-clean-room := room
needs_model-check := spin
needs_bench-scheduler := chromium
needs_bench-capsule := rust chromium
needs_bench-governance := chromium
needs_capsules := rust
needs_dist := rust
needs_generate := rust capnp
needs_generate-go := capnp
needs_setup := rust rust-lint cc browsers
NEEDS := $(sort base $(foreach goal,$(MAKECMDGOALS),$(needs_$(goal))))

.DEFAULT_GOAL := help

##@ Run it
.PHONY: demo
demo: setup-base ## one job, all the way, in a real browser, with a transcript
	+@$(PARALLEL) dist native
	node test/browser/demo.mjs

.PHONY: run
run: setup-base ## start three nodes and serve the shell until Ctrl-C
	+@$(PARALLEL) dist native
	node test/browser/demo.mjs --serve

##@ Test it
.PHONY: test
test: setup-base ## everything that must pass
	+@$(PARALLEL) dist native
	scripts/test.sh

.PHONY: test-clean-room
test-clean-room: setup-base ## the first commands of the README on a minimal Debian
	scripts/clean-room.sh

.PHONY: test-kills
test-kills: web/node_modules/.package-lock.json ## the ledger killed 50 times in each browser; make test kills Firefox's 6 times
	node test/browser/store/run.mjs 50

.PHONY: test-hostile
test-hostile: setup-base ## attacks on a real node, and on browsers: bound and measure of each
	+@$(PARALLEL) dist native
	go run ./test/hostile

.PHONY: fuzz
fuzz: | setup-base ## every decoder and parser, FUZZ_TIME (10s) each
	scripts/fuzz.sh

.PHONY: model-check
model-check: setup-base ## the rings' protocol, exhaustively, with spin
	scripts/model-check.sh

.PHONY: bench-scheduler bench-capsule bench-governance
bench-scheduler: $(TOOLS)/wasmbrowsertest ## decisions of the scheduler, natively and in Chromium
	scripts/bench-scheduler.sh
bench-capsule: web/node_modules/.package-lock.json ## capsules beside plain JavaScript, postMessage and Comlink in Chromium, and natively
	scripts/bench-capsule.sh
bench-governance: $(TOOLS)/wasmbrowsertest web/node_modules/.package-lock.json ## admission, vouchers, settlements
	scripts/bench.sh ./internal/governance ./internal/credit ./internal/store ./internal/payment
	node test/browser/store/run.mjs 0 chromium

.PHONY: fmt vet lint lint-go lint-go-js lint-rust lint-web
fmt: web/node_modules/.package-lock.json ## format all code
	gofmt -w $$(scripts/test.sh --go)
	web/node_modules/.bin/biome format --write
	scripts/lint-rust.sh --fmt
vet: | setup-base ## go vet, natively and for js/wasm
	go vet ./...
	GOOS=js GOARCH=wasm go vet $$(scripts/test-js.sh --vet)
lint: vet lint-go lint-go-js lint-rust lint-web ## vet, staticcheck, clippy and rustfmt, Biome
lint-go: $(TOOLS)/staticcheck
	$(TOOLS)/staticcheck $$(go list ./... | grep -v /internal/bridge) # used on js only
lint-go-js: $(TOOLS)/staticcheck
	GOOS=js GOARCH=wasm $(TOOLS)/staticcheck -checks inherit,-U1000 $$(scripts/test-js.sh --vet)
lint-rust: | setup-base
	scripts/lint-rust.sh
lint-web: web/node_modules/.package-lock.json
	web/node_modules/.bin/biome check --error-on-warnings

##@ Build it
.PHONY: kernel native capsules web dist
kernel: $(BUILD)/kernel.wasm ## the kernel for browsers
	@:
native: $(BUILD)/inos ## the native node
	@:
capsules: $(BUILD)/capsules/.built ## the Rust capsules
	@:
web: $(BUILD)/web/index.html ## the shell
	@:
dist: $(DIST)/build.json ## kernel, capsules and shell, compressed and ready to be served
	@:

# go build runs each time: Go's cache knows what has changed. What it made gets its place
# only if the bytes are others, so that nothing downstream is made again for the same.
define go-built
	@mkdir -p $(BUILD)/go
	@echo "make: $(@F)"
	@$1 $(GO_BUILD) -o $(BUILD)/go/$(@F) $2
	@cmp -s $(BUILD)/go/$(@F) $@ || { cp $(BUILD)/go/$(@F) $@.new && mv $@.new $@; }
endef
$(BUILD)/kernel.wasm: FORCE $(BUILD)/go-modules | setup-base
	$(call go-built,GOOS=js GOARCH=wasm,./cmd/kernel-wasm)

$(BUILD)/inos: FORCE $(BUILD)/go-modules | setup-base
	$(call go-built,CGO_ENABLED=0,./cmd/inos)

$(BUILD)/capsules/.built: $(RUST_FILES) scripts/assemble-hostile.mjs scripts/build-capsules.sh scripts/rust-sysroot.sh web/node_modules/.package-lock.json | $(BUILD)/inos setup-base setup-rust
	@echo "make: capsules"
	env -u MAKEFLAGS -u MFLAGS INOS=$(BUILD)/inos scripts/build-capsules.sh
	node scripts/assemble-hostile.mjs # for tests
	@touch $@

$(BUILD)/web/index.html: $(WEB_FILES) web/node_modules/.package-lock.json web/vendor/wasm_exec.js
	@echo "make: web shell"
	cd web && INOS_WEB_OUT=../$(BUILD)/web node_modules/.bin/vite build --logLevel warn

# The minute that brotli takes for the kernel passes while the rest is built.
$(BUILD)/.kernel-compressed: $(BUILD)/kernel.wasm scripts/pack.mjs
	node scripts/pack.mjs --warm $<
	@touch $@

$(DIST)/build.json: $(BUILD)/.kernel-compressed $(BUILD)/kernel.wasm $(BUILD)/capsules/.built $(BUILD)/web/index.html scripts/pack.mjs
	node scripts/pack.mjs --web $(BUILD)/web --kernel $(BUILD)/kernel.wasm --capsules $(BUILD)/capsules --except fault --except flood --except state --out $(DIST)

web/node_modules/.package-lock.json: web/package.json web/package-lock.json web/.npmrc | setup-base
	@echo "make: npm packages of the shell"
	cd web && npm ci --loglevel=error
	@touch $@

# sources NAMES notes the names in the target, which changes only when they are others.
define sources
	@mkdir -p $(@D)
	@names='$(sort $1)'; cmp -s - $@ <<<"$$names" || echo "$$names" > $@
endef
$(BUILD)/rust-sources: FORCE | setup-base
	$(call sources,$(RUST_SOURCES))
$(BUILD)/web-sources: FORCE | setup-base
	$(call sources,$(WEB_SOURCES))

# Go's own loader has to be of the Go that builds the kernel. FORCE looks each
# time; the file changes only with Go.
web/vendor/wasm_exec.js: FORCE | setup-base
	@mkdir -p $(@D)
	@from="$$(go env GOROOT)/lib/wasm/wasm_exec.js"; cmp -s "$$from" $@ || cp "$$from" $@

# The modules come first and in one line, not a line each among what is built.
$(BUILD)/go-modules: go.mod go.sum | setup-base
	@mkdir -p $(@D)
	@echo "make: Go modules"
	@{ go list -deps ./cmd/inos && GOOS=js GOARCH=wasm go list -deps ./cmd/kernel-wasm; } > $@.log 2>&1 || { cat $@.log >&2; exit 1; }
	@rm -f $@.log; touch $@

.PHONY: FORCE
FORCE:

##@ Look after it
.PHONY: generate generate-go
generate: generate-go ## regenerate the code of the schema (needs capnp) and what is made of Go
	scripts/generate-rust.sh
	go run ./internal/generate
	go generate ./internal/fault
generate-go: $(TOOLS)/capnpc-go
	PATH="$$PWD/$(TOOLS):$$PATH" capnp compile -I "$$(go list -m -f '{{.Dir}}' capnproto.org/go/capnp/v3)/std" -ogo $(CAPNP)/*.capnp

$(TOOLS)/capnpc-go: go.mod | setup-base
	GOBIN="$$PWD/$(TOOLS)" go install capnproto.org/go/capnp/v3/capnpc-go
	@touch $@
$(TOOLS)/staticcheck: | setup-base
	GOBIN="$$PWD/$(TOOLS)" go install honnef.co/go/tools/cmd/staticcheck@v0.8.2
$(TOOLS)/wasmbrowsertest: | setup-base
	GOBIN="$$PWD/$(TOOLS)" go install github.com/agnivade/wasmbrowsertest@v0.11.0

.PHONY: setup setup-base setup-rust
setup: setup-base ## install what is missing for demo and test
	@scripts/rust-sysroot.sh
	@$(MAKE) web/node_modules/.package-lock.json
setup-base:
	@scripts/setup.sh $(NEEDS)
# For who asks for a file that needs Rust, by its name.
setup-rust: setup-base
	@scripts/setup.sh rust

.PHONY: clean
clean: ## remove what was built here (caches outside the checkout stay)
	rm -rf $(BUILD) $(DIST) capsules/target web/vendor web/dist

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+( [a-z-]+)*:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
