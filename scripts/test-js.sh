#!/usr/bin/env bash
# Tests the packages that must also work as js/wasm, under node. A new package
# is in by default: only what needs an operating system, or a browser, is out.
# With --vet it prints the packages that must compile for js/wasm instead.
set -euo pipefail
cd "$(dirname "$0")/.."

# serve, wazero, cmd/inos: native by purpose. archtest runs the go command.
NATIVE='^inos/(cmd/inos|internal/serve|internal/capsule/wazero|internal/archtest|scripts|test|bench)(/|$)'
# Their tests open sockets, or run in a browser: test/browser has them.
ELSEWHERE='^inos/(internal/mesh/p2p|internal/capsule/sab|cmd/kernel-wasm)(/|$)'

export GOOS=js GOARCH=wasm
packages=$(go list -e -f '{{if or .GoFiles .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | grep -Ev "$NATIVE")
if [ "${1:-}" = --vet ]; then
    echo "$packages"
    exit
fi
go test -exec "'$(go env GOROOT)/lib/wasm/go_js_wasm_exec'" "$@" $(grep -Ev "$ELSEWHERE" <<<"$packages")
