#!/usr/bin/env bash
# One job: starts a node on this machine, sends it the job, prints the result and ends the
# node. INOS names the program, if it is not build/inos. Input is "hello", or $1.
set -euo pipefail
cd "$(dirname "$0")/.."
inos=${INOS:-build/inos}

# The node's first line says where it can be reached.
exec 3< <(exec "$inos" node --name example --capabilities storage --log-level error)
node=$!
trap 'kill "$node" && wait "$node"' EXIT
read -r ready <&3
[[ $ready =~ \"addrs\":\[\"([^\"]+)\" ]] || { echo "the node did not start: $ready" >&2; exit 1; }

printf %s "${1:-hello}" |
    "$inos" job --bootstrap "${BASH_REMATCH[1]}" --requires storage --capsule build/capsules/hash.wasm --method sha256 --quiet
