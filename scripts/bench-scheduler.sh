#!/usr/bin/env bash
# Measures the scheduler natively and in headless Chromium and prints one table,
# with a plain scan of the formula beside it in the same run, and the kernel's whole
# decision (Place) around it; then runs the load
# simulation, which writes the tables of docs/scheduler.md and docs/scheduler.svg.
# BENCH_TIME is how long each figure is measured (default 1s), BENCH_COUNT how often
# (default 3): the best counts, because whatever else runs on the machine only adds.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh base chromium
export GOROOT=$(go env GOROOT) # for wasmbrowsertest, which does not know it when it was built with -trimpath

what='^Benchmark(Place|Choose|Update|Report|RandomRead|Scan|Assign64|Memory)'
flags=(-run '^$' -bench "$what" -benchmem -benchtime "${BENCH_TIME:-1s}" -count "${BENCH_COUNT:-3}" -timeout 30m ./internal/scheduler ./internal/kernel)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

echo "machine: $(go version | cut -d' ' -f3-), $(nproc) cores, load average $(cut -d' ' -f1-3 /proc/loadavg)"
go test "${flags[@]}" >"$out/native" || { cat "$out/native"; exit 1; }
WASM_HEADLESS=on GOOS=js GOARCH=wasm go test -exec "'$PWD/build/tools/wasmbrowsertest'" "${flags[@]}" >"$out/chromium" 2>"$out/noise" ||
    { cat "$out/chromium" "$out/noise"; exit 1; }

# One line a benchmark: its name, then time and allocations, or bytes, of both.
awk '
    function shown(ns) { return ns >= 1e6 ? sprintf("%.2f ms", ns / 1e6) : ns >= 1e3 ? sprintf("%.2f µs", ns / 1e3) : sprintf("%.0f ns", ns) }
    /^Benchmark/ {
        name = $1; sub(/-[0-9]+$/, "", name); sub(/^Benchmark/, "", name)
        if (!(name in seen)) { seen[name] = 1; order[++n] = name }
        for (i = 3; i < NF; i += 2) {
            if ((FILENAME, name, $(i + 1)) in value && value[FILENAME, name, $(i + 1)] + 0 <= $i + 0) continue
            value[FILENAME, name, $(i + 1)] = $i
        }
    }
    function cell(file, name) {
        if (name ~ /^Memory/) return ((file, name, "MB") in value) ? sprintf("%.1f MB, %.0f B a node", value[file, name, "MB"], value[file, name, "B/node"]) : "not measured"
        if (!((file, name, "ns/op") in value)) return "not measured"
        reads = ((file, name, "reads/op") in value) ? sprintf(" = %.1f random reads", value[file, name, "reads/op"]) : ""
        return shown(value[file, name, "ns/op"]) reads ", " value[file, name, "allocs/op"] " allocs"
    }
    END {
        print "| benchmark/nodes/request | native | Chromium |"
        print "| --- | ---: | ---: |"
        for (i = 1; i <= n; i++) printf "| %s | %s | %s |\n", order[i], cell(ARGV[1], order[i]), cell(ARGV[2], order[i])
    }
' "$out/native" "$out/chromium"

echo
go run ./bench/scheduler -docs docs
