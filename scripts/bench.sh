#!/usr/bin/env bash
# Runs the Go benchmarks of some packages natively, and in headless Chromium those
# that are pure.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh base chromium
export GOROOT=$(go env GOROOT) # for wasmbrowsertest, which does not know it when it was built with -trimpath

echo "== native ($(go env GOOS)/$(go env GOARCH), $(nproc) cores)"
go test -run '^$' -bench . -benchmem "$@"

browser=()
for package in "$@"; do
    case $package in */wazero | */store | */payment) ;; *) browser+=("$package") ;; esac
done
echo "== Chromium"
WASM_HEADLESS=on GOOS=js GOARCH=wasm go test -exec "'$PWD/build/tools/wasmbrowsertest'" -run '^$' -bench . -benchmem "${browser[@]}" 2>&1 | { grep -v IPAddressSpace || true; }
