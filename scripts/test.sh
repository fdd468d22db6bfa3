#!/usr/bin/env bash
# Everything that must pass, stage by stage; `make test` builds first. Goes on
# after a failed stage, and ends with what failed in it and one line that counts
# them. Stages can be named: scripts/test.sh go-race web. Nothing is skipped: a
# missing tool fails its stage, except capnp, which only who changes the schema
# needs. Each stage's output is kept in build/test/NAME.log. With --go it prints the
# folders of Go code instead.
set -uo pipefail
cd "$(dirname "$0")/.."

# Where Go code of ours lies.
go_folders=(bench cmd internal schema scripts test)
if [ "${1:-}" = --go ]; then
    echo "${go_folders[@]}"
    exit
fi

passed=0
failed=()
logs=build/test
rm -rf "$logs"
mkdir -p "$logs"

# stage NAME WHAT COMMAND... runs one stage and notes how it ended.
stage() {
    local name=$1 what=$2 began=$SECONDS
    shift 2
    if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $name "* ]]; then return; fi
    printf '\n=== %s: %s\n' "$name" "$what"
    if "$@" </dev/null 2>&1 | tee "$logs/$name.log"; then
        passed=$((passed + 1))
        printf -- '--- %s passed in %d s\n' "$name" $((SECONDS - began))
    else
        failed+=("$name")
        printf -- '--- %s FAILED after %d s\n' "$name" $((SECONDS - began))
    fi
}

only=("$@")

formatted() {
    local wrong
    wrong=$(gofmt -l "${go_folders[@]}") || return
    [ -z "$wrong" ] || { echo "not gofmt'ed (make fmt): $wrong"; return 1; }
}

# ahead NAME COMMAND... begins the work of the stage NAME, beside stages that mostly wait.
ahead() {
    local name=$1
    shift
    if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $name "* ]]; then return; fi
    exec {ahead}< <(nice -n 19 "$@" </dev/null 2>&1; echo $?)
}

# arrived prints what the work that was begun ahead says, and ends as it does.
arrived() {
    local said
    said=$(cat <&"$ahead")
    printf '%s\n' "${said%$'\n'*}"
    return "${said##*$'\n'}"
}

# A linker that keeps every exported method makes the kernel 8 MB larger: see
# docs/rationale.md.
lean() {
    local symbols found
    symbols=$(GOOS=js GOARCH=wasm go build -ldflags='-s -w -dumpdep' -o /dev/null ./cmd/kernel-wasm 2>&1) || { echo "$symbols" | tail; return 1; }
    found=$(grep -c '<ReflectMethod>' <<<"$symbols")
    [ "$found" = 0 ] || { echo "$found symbols call reflect's Method by name: dead code elimination is off"; return 1; }
}

generated() {
    if ! type -P capnp >/dev/null; then
        echo "capnp is not installed: the committed code is taken as it is"
        return 0
    fi
    make generate && git diff --exit-code -- schema capsules/sdk/src/generated
}

killed() { node test/browser/store/run.mjs 50 chromium && node test/browser/store/run.mjs 6 firefox; }

# One compiler for all of it: another's rustdoc in PATH could not read its crates.
rust() {
    (
        cd capsules && eval "$(../scripts/rust-sysroot.sh --env)" && unset MAKEFLAGS MFLAGS || exit
        export RUSTC=$WASM_RUSTC RUSTDOC=${WASM_RUSTC%rustc}rustdoc
        "$WASM_CARGO" test --locked --quiet
    )
}

stage format "gofmt" formatted
stage generate "the generated code is the schema's" generated
stage lean "the kernel links without dead code" lean
stage go-race "Go tests, natively, with the race detector" go test -race -timeout 40m ./...
stage gib "1 GiB into a slow capsule of another node, without the race detector" go test -count=1 -run GiB -v ./cmd/internal/node
stage go-js "Go tests on js/wasm under node" scripts/test-js.sh
stage rust "Rust tests of the capsules" rust
stage web-check "TypeScript checks of the shell" npm --prefix web run --silent --loglevel=error check
stage web-test "unit tests of the shell" npm --prefix web run --silent --loglevel=error test
ahead lint make -k lint
stage shell "the shell's bad days, in Chromium" node test/browser/shell.mjs
stage capsule "capsules in Workers, in browsers" node test/browser/capsule/run.mjs
stage crowd "many jobs at once, in Chromium" node test/browser/crowd.mjs
stage close "kernels that go with 1,000 jobs in flight, in browsers" node test/browser/close/run.mjs
stage batch "2,000 dispatches and cancels at once, in browsers" node test/browser/batch.mjs
stage clock "clocks that differ, in browsers" node test/browser/clock.mjs
stage mesh "the mesh, in browsers" node test/browser/mesh/run.mjs
stage store "the ledger survives kills, in browsers" killed
stage storage "key and ledger where a browser keeps nothing, in browsers" node test/browser/storage.mjs
stage trace "a browser's spans reach a collector, by way of a native node" node test/browser/trace/run.mjs
stage examples "the page and the stream of examples/, in Chromium" node test/browser/examples.mjs
stage demo "one job, all the way, in Chromium" node test/browser/demo.mjs
stage demo-firefox "one job, all the way, in Firefox" node test/browser/demo.mjs --firefox
stage lint "vet, staticcheck, clippy and rustfmt, Biome" arrived

# A long log is often cut in its middle: what failed is said again at its end.
for name in ${failed[@]+"${failed[@]}"}; do
    printf '\nfailed: %s (%s)\n' "$name" "$logs/$name.log"
    grep -nE -A 8 '^[[:space:]]*(--- FAIL|FAIL|panic:|fatal error:|WARNING: DATA RACE|not ok|✗|✖|error(\[|:)|test .* FAILED|thread .* panicked)' "$logs/$name.log" | head -60 ||
        tail -n 20 "$logs/$name.log"
done
printf '\n%d passed, %d failed\n' "$passed" "${#failed[@]}"
[ ${#failed[@]} -eq 0 ] && [ "$passed" -gt 0 ]
