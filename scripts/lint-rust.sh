#!/usr/bin/env bash
# rustfmt and clippy, of the toolchain that scripts/rust-sysroot.sh finds: natively with
# the tests, and as the capsules are built, for what is compiled there only. Any warning
# fails. With --fmt it formats instead.
set -euo pipefail
cd "$(dirname "$0")/.."

toolchain=$(scripts/rust-sysroot.sh --env)
eval "$toolchain"
cd capsules
unset MAKEFLAGS MFLAGS CARGO_BUILD_TARGET
export RUSTC=$WASM_RUSTC CARGO=$WASM_CARGO RUSTFMT=$WASM_RUSTFMT

files=(*/src/lib.rs sdk/tests/*.rs) # and their modules
if [ "${1:-}" = --fmt ]; then
    "$WASM_RUSTFMT" --edition 2021 "${files[@]}"
    exit
fi
"$WASM_RUSTFMT" --check --edition 2021 "${files[@]}" || { echo "not rustfmt'ed: make fmt"; exit 1; }
"$WASM_CLIPPY" clippy --locked --quiet --all-targets -- -D warnings
flags=(--sysroot "$WASM_SYSROOT" -C target-feature=+atomics,+bulk-memory,+mutable-globals,+simd128)
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${flags[*]}") RUSTC_BOOTSTRAP=inos_sdk CARGO_TARGET_DIR=$PWD/target/wasm \
    "$WASM_CLIPPY" clippy --locked --quiet --target wasm32-unknown-unknown --lib -- -D warnings 2>&1 |
    awk 'BEGIN { RS = ""; ORS = "\n\n" } !/^warning: unstable feature specified for `-Ctarget-feature`/'
