#!/usr/bin/env bash
# Builds every capsule of the Rust workspace to build/capsules/NAME.wasm and
# checks each as the host does before it compiles one (with the program in INOS, if
# it is given). Incremental: a second or two when nothing changed. `build-capsules.sh
# NAME...` builds only those.
set -euo pipefail
cd "$(dirname "$0")/.."

# The most memory a capsule may ever be given, in bytes; hosts may give less.
MAX_MEMORY=$((1 << 30))
STACK=$((256 << 10))
# The memory that it has from its start: enough for the rings and for the input and output of small
# jobs. A memory that has grown cannot be used for another job in a browser.
INITIAL_MEMORY=$((1 << 20))

toolchain=$(scripts/rust-sysroot.sh --env)
eval "$toolchain"

# package_of NAME prints the cargo package of capsules/NAME.
package_of() { sed -n 's/^name = "\(.*\)"$/\1/p' "capsules/$1/Cargo.toml" | head -n 1; }

names=() packages=()
for manifest in capsules/*/Cargo.toml; do
    name=$(basename "$(dirname "$manifest")")
    grep -q '"cdylib"' "$manifest" || continue
    if [ $# -eq 0 ] || [[ " $* " == *" $name "* ]]; then
        names+=("$name")
        packages+=("$(package_of "$name")")
    fi
done
[ ${#names[@]} -gt 0 ] || { echo "build-capsules: no such capsule: $*" >&2; exit 1; }

# The SDK needs one unstable intrinsic, memory.atomic.wait32.
flags=(--sysroot "$WASM_SYSROOT" -C target-feature=+atomics,+bulk-memory,+mutable-globals,+simd128
    -C link-arg=--import-memory -C link-arg=--shared-memory -C "link-arg=--max-memory=$MAX_MEMORY"
    -C "link-arg=--initial-memory=$INITIAL_MEMORY"
    # sha2's own SIMD code loops where its plain code is unrolled. Under wazero, which
    # looks for termination at every turn of a loop, that is 3.5 times slower.
    --cfg 'sha2_256_backend="soft"'
    # The stack is the lowest part of the memory and grows down: when it is used up it traps, and
    # the host recognises that trap by the stack pointer.
    -C "link-arg=-zstack-size=$STACK" -C link-arg=--export=inos_control -C link-arg=--export=__stack_pointer)
# Not RUSTFLAGS, which cargo cuts at spaces: the sysroot's path may have some.
encoded=$(IFS=$'\x1f' && echo "${flags[*]}")

# quietly COMMAND... omits rustc's regular warnings about atomics, which are intended, and shows
# everything else.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
quietly() {
    local code=0
    "$@" 2>"$said" || code=$?
    awk 'BEGIN { RS = ""; ORS = "\n\n" } !/^warning: unstable feature specified for `-Ctarget-feature`/' "$said" >&2
    return "$code"
}

# One cargo run for each capsule: within one run, cargo would give all of them the SDK features that
# any of them asks for.
for package in "${packages[@]}"; do
    (
        cd capsules
        quietly env -u CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS="$encoded" \
            RUSTC="$WASM_RUSTC" RUSTC_BOOTSTRAP=inos_sdk \
            CARGO_TARGET_DIR="$PWD/target/wasm" CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$WASM_LD" \
            "$WASM_CARGO" build --quiet --release --target wasm32-unknown-unknown -p "$package"
    )
done

mkdir -p build/capsules
files=()
for name in "${names[@]}"; do
    package=$(package_of "$name")
    from=capsules/target/wasm/wasm32-unknown-unknown/release/${package//-/_}.wasm
    to=build/capsules/$name.wasm
    # Unchanged files keep their time; a reader never sees half a file.
    if ! cmp -s "$from" "$to"; then
        cp "$from" "$to.$$" && mv "$to.$$" "$to"
    fi
    files+=("$to")
done
# Removes what an older commit left there.
if [ $# -eq 0 ]; then
    for old in build/capsules/*.wasm; do
        [[ " ${files[*]} " == *" $old "* ]] || rm -f "$old"
    done
fi
if [ -n "${INOS:-}" ]; then inos=("$INOS"); else inos=(go run ./cmd/inos); fi
"${inos[@]}" capsule inspect "${files[@]}"
