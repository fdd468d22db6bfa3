#!/usr/bin/env bash
# Prints the path of a wasm32 sysroot whose standard library was compiled with
# atomics, and builds it first when there is none. With --env it prints the
# whole toolchain as shell assignments instead, for `eval`; with --check it only
# says by its exit code whether there is a toolchain, with --check-lint whether
# rustfmt and clippy are there for it.
#
# The wasm32 library that Rust ships has no atomics and cannot be linked into a
# module with a shared memory, so it is compiled once per compiler (about 80 s)
# into ${XDG_CACHE_HOME:-~/.cache}/inos/rust-sysroot/<hash of rustc -vV and flags>,
# outside any checkout. Two callers at once are safe.
#
# Toolchain, first that fits:
#   WASM_RUSTC, WASM_CARGO, WASM_LD       each overrides its part
#   rustc in PATH                         with the rust-src component
#   /usr/bin/rustc                        Debian: rustc-web cargo-web rust-web-src lld-22
set -euo pipefail

TARGET=wasm32-unknown-unknown
FLAGS="-C target-feature=+atomics,+bulk-memory,+mutable-globals -C embed-bitcode=yes"
INSTALL="install one of: apt-get install rustc-web cargo-web rust-web-src lld-22; or: rustup component add rust-src"

fail() { echo "rust-sysroot: $*" >&2; exit 1; }

# library_of RUSTC prints the folder of the library's sources that match RUSTC.
library_of() {
    local root src
    root=$("$1" --print sysroot 2>/dev/null) || return 1
    for src in "$root/lib/rustlib/src/rust" /usr/lib/rustlib/src/rust; do
        # Debian's folder belongs to Debian's compiler only.
        [ "$src" = "$root/lib/rustlib/src/rust" ] || [ "$root" = /usr ] || continue
        if [ -f "$src/library/std/Cargo.toml" ]; then readlink -f "$src"; return 0; fi
    done
    return 1
}

# linker_of RUSTC prints a linker that knows wasm.
linker_of() {
    local root host ld
    root=$("$1" --print sysroot)
    host=$("$1" -vV | sed -n 's/^host: //p')
    # Of the numbered ones those that were tried.
    for ld in "$root/lib/rustlib/$host/bin/rust-lld" /usr/bin/wasm-ld-{22,21,20,19} "$(type -P wasm-ld || true)"; do
        if [ -n "$ld" ] && [ -x "$ld" ]; then echo "$ld"; return 0; fi
    done
    return 1
}

RUSTC="" SRC="" LD="" CARGO=""
candidates=()
if [ -n "${WASM_RUSTC:-}" ]; then
    candidates=("$WASM_RUSTC")
else
    while IFS= read -r found; do candidates+=("$found"); done < <(type -aP rustc || true)
    candidates+=(/usr/bin/rustc)
fi
for rustc in "${candidates[@]}"; do
    [ -x "$rustc" ] || continue
    SRC=$(library_of "$rustc") || continue
    LD=${WASM_LD:-$(linker_of "$rustc" || true)}
    [ -n "$LD" ] || continue
    CARGO=${WASM_CARGO:-$(dirname "$rustc")/cargo}
    [ -n "${WASM_CARGO:-}" ] || [ -x "$CARGO" ] || continue
    RUSTC=$rustc
    break
done
RUSTFMT=$(dirname "$CARGO")/rustfmt CLIPPY=$(dirname "$CARGO")/cargo-clippy
if [ "${1:-}" = --check ]; then
    [ -n "$RUSTC" ] && [ -x "$LD" ] && [ -x "$CARGO" ]
    exit
fi
if [ "${1:-}" = --check-lint ]; then
    # rustup's are there without the component, and fail.
    [ -n "$RUSTC" ] && "$RUSTFMT" --version >/dev/null 2>&1 && "$CLIPPY" clippy --version >/dev/null 2>&1
    exit
fi
[ -n "$RUSTC" ] || fail "no rustc with its library sources, cargo beside it and a wasm linker; $INSTALL"
[ -x "$LD" ] || fail "WASM_LD=$LD is not executable"
[ -x "$CARGO" ] || fail "WASM_CARGO=$CARGO is not executable"

STAMP=$({ "$RUSTC" -vV; echo "$FLAGS"; } | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c1-16)
CACHE=${XDG_CACHE_HOME:-~/.cache}/inos/rust-sysroot # ~ is there without HOME, too
SYSROOT=$CACHE/$STAMP

answer() {
    if [ "${1:-}" = --env ]; then
        printf 'WASM_RUSTC=%q\nWASM_CARGO=%q\nWASM_LD=%q\nWASM_SYSROOT=%q\nWASM_RUSTFMT=%q\nWASM_CLIPPY=%q\n' \
            "$RUSTC" "$CARGO" "$LD" "$SYSROOT" "$RUSTFMT" "$CLIPPY"
    else
        echo "$SYSROOT"
    fi
    exit 0
}

# The folder appears by one rename, so that it is complete whenever it exists.
[ ! -d "$SYSROOT" ] || answer "$@"
mkdir -p "$CACHE"
if type -P flock >/dev/null; then
    exec 9>"$CACHE/$STAMP.lock"
    flock 9
    [ ! -d "$SYSROOT" ] || answer "$@"
fi

echo "rust-sysroot: compiling the wasm32 library with atomics for $("$RUSTC" --version) (once, about a minute and a half)" >&2
W=$(mktemp -d "$CACHE/build.XXXXXX")
trap 'rm -rf "$W"' EXIT
mkdir -p "$W/crate/src" "$W/home" "$W/sysroot/lib/rustlib/$TARGET/lib"
echo '#![no_std]' >"$W/crate/src/lib.rs"
cat >"$W/crate/Cargo.toml" <<'TOML'
[package]
name = "empty"
version = "0.0.0"
edition = "2021"
[profile.release]
panic = "abort"
[workspace]
TOML
source_args=()
if [ -d "$SRC/library/vendor" ]; then
    source_args=(--offline --config 'source.crates-io.replace-with="vs"' --config "source.vs.directory=\"$SRC/library/vendor\"")
fi
if ! (cd "$W/crate" && env -u CARGO_BUILD_TARGET -u CARGO_ENCODED_RUSTFLAGS \
    RUSTC="$RUSTC" RUSTC_BOOTSTRAP=1 CARGO_HOME="$W/home" CARGO_TARGET_DIR="$W/t" RUSTFLAGS="$FLAGS" \
    "$CARGO" build --release --target "$TARGET" -Zbuild-std=std,panic_abort "${source_args[@]}" >"$W/log" 2>&1 9>&-); then
    tail -n 40 "$W/log" >&2
    fail "the wasm32 library did not compile with $RUSTC (above)"
fi
cp "$W/t/$TARGET"/release/deps/lib*.rlib "$W/sysroot/lib/rustlib/$TARGET/lib/"
rm -f "$W/sysroot/lib/rustlib/$TARGET/lib"/libempty-*.rlib
[ -d "$SYSROOT" ] || mv "$W/sysroot" "$SYSROOT"
answer "$@"
