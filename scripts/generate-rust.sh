#!/usr/bin/env bash
# Regenerates capsules/sdk/src/generated from schema/system/v1. The result is committed, so that
# only a change of the schema needs this: capnp (apt-get install capnproto), go, cargo. The plugin
# is capnpc-rust of the version below, built once into the user's cache.
set -euo pipefail
cd "$(dirname "$0")/.."

VERSION=0.27.0 # of crate capnpc; goes with capnp 0.27 in capsules/sdk/Cargo.toml
TOOLS=${XDG_CACHE_HOME:-~/.cache}/inos/capnpc-rust-$VERSION

scripts/setup.sh base rust capnp
if [ ! -x "$TOOLS/bin/capnpc-rust" ]; then
    # The compiler that the capsules are built with, whatever else is in PATH.
    eval "$(scripts/rust-sysroot.sh --env)"
    RUSTC=$WASM_RUSTC CARGO_TARGET_DIR="$TOOLS/target" env -u MAKEFLAGS -u MFLAGS \
        "$WASM_CARGO" install --quiet --locked --root "$TOOLS" --version "$VERSION" capnpc
    rm -rf "$TOOLS/target"
fi
OUT=capsules/sdk/src/generated
mkdir -p "$OUT"
capnp compile -I "$(go list -m -f '{{.Dir}}' capnproto.org/go/capnp/v3)/std" --src-prefix=schema/system/v1 \
    -o"$TOOLS/bin/capnpc-rust:$OUT" schema/system/v1/orchestration.capnp schema/system/v1/capsule.capnp
