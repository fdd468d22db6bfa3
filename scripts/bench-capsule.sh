#!/usr/bin/env bash
# Capsules against their peers in headless Chromium, and natively: one table.
# --write puts it into docs/benchmarks.md.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh base rust chromium
[ -d web/node_modules/comlink ] || (cd web && npm ci --loglevel=error)
scripts/build-capsules.sh flood >/dev/null 2>&1
node bench/capsule/run.mjs "$@"
