#!/usr/bin/env bash
# Makes sure that what a target needs is there: installs it through apt when it
# may (root, or sudo without a password). What it cannot install is named in one
# line, all of it at once, and then nothing is installed: exit code 1. Takes the
# needs as arguments: base rust rust-lint cc chromium browsers capnp spin room.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "setup: $*" >&2; exit 1; }

# have PROGRAM looks in PATH alone: a function or builtin here of that name is no program.
have() { type -P "$1" >/dev/null; }

# at_least HAVE WANTED compares dotted versions.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }

# browser VAR NAME... reports whether test/browser/lib/find.mjs will find one: the
# program that VAR names, else the first NAME in PATH.
browser() {
    local name
    if [ -f "${!1:-}" ] && [ -x "${!1}" ]; then return; fi
    for name in "${@:2}"; do have "$name" && return; done
    return 1
}

people=()   # what is missing and only people can install
missing=()  # what is missing and apt can install
packages=() # apt's names for it

ask() { people+=("$1"); }
need() { missing+=("$1") packages+=("${@:2}"); }

# The folder / is not in a module: in this project's, an older Go would fetch the one of go.mod.
go_env() { (cd / && go env "$@" 2>/dev/null) || true; }

look_for_go() {
    local wanted found
    wanted=$(sed -n 's/^go //p' go.mod)
    if ! have go; then ask "Go $wanted or later (https://go.dev/dl)"; return; fi
    found=$(GOTOOLCHAIN=local go_env GOVERSION)
    found=${found#go}
    if at_least "$found" "$wanted"; then return; fi
    # From 1.21 on Go fetches the one it needs, unless it was told not to.
    case $(go_env GOTOOLCHAIN) in
    '' | local* | path) ;;
    *) if at_least "$found" 1.21; then return; fi ;;
    esac
    ask "Go $wanted or later (https://go.dev/dl; ${found:-the one} in PATH is too old)"
}

# The versions that the packages of web/package-lock.json run on: 20.19, 22.13, 23.5 and later.
look_for_node() {
    local found wanted="Node.js 20.19, 22.13 or later with npm (https://nodejs.org/en/download"
    if ! have node; then ask "$wanted)"; return; fi
    found=$(node --version 2>/dev/null) || true
    found=${found#v}
    case $found in
    20.*) at_least "$found" 20.19 ;;
    22.*) at_least "$found" 22.13 ;;
    *) at_least "$found" 23.5 ;;
    esac || { ask "$wanted; ${found:-the one} in PATH is too old)"; return; }
    have npm || ask "npm (it comes with Node.js: https://nodejs.org/en/download)"
}

# The folders outside the checkout that a build writes to.
look_for_caches() {
    local folder above
    local folders=("${INOS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/inos}" "${CARGO_HOME:-$HOME/.cargo}" "${npm_config_cache:-$HOME/.npm}")
    if have go; then while IFS= read -r folder; do folders+=("$folder"); done < <(go_env GOCACHE GOMODCACHE); fi
    for folder in "${folders[@]}"; do
        above=$folder
        until [ -e "$above" ] || [ -z "$above" ]; do above=${above%/*}; done
        if [ -d "${above:-/}" ] && [ -w "${above:-/}" ]; then continue; fi
        ask "a home folder that can be written ($folder cannot: HOME=FOLDER sets another)"
        return
    done
}

look() {
    local what
    people=() missing=() packages=()
    for what in "$@"; do
        case $what in
        base)
            look_for_go
            look_for_node
            look_for_caches
            have git || need "git" git
            ;;
        rust)
            env -u MAKEFLAGS -u MFLAGS scripts/rust-sysroot.sh --check ||
                need "a Rust toolchain with library sources (rustup component add rust-src, or Debian's)" rustc-web cargo-web rust-web-src lld-22
            ;;
        rust-lint)
            env -u MAKEFLAGS -u MFLAGS scripts/rust-sysroot.sh --check-lint ||
                need "rustfmt and clippy of that toolchain (rustup component add rustfmt clippy, or Debian's)" rustfmt-web rust-web-clippy
            ;;
        cc) have cc || need "a C compiler" gcc libc6-dev ;; # for go test -race and for cargo test
        chromium) browser CHROMIUM chromium chromium-browser google-chrome || need "Chromium" chromium ;;
        browsers)
            browser CHROMIUM chromium chromium-browser google-chrome || need "Chromium" chromium
            browser FIREFOX firefox-esr firefox || need "Firefox" firefox-esr
            ;;
        capnp) have capnp || need "Cap'n Proto's compiler" capnproto ;;
        spin)
            have spin || need "spin" spin
            have gcc || need "gcc" gcc libc6-dev
            ;;
        room)
            have mmdebstrap || need "mmdebstrap" mmdebstrap
            have unshare || need "unshare" util-linux
            ;;
        *) fail "unknown need '$what'" ;;
        esac
    done
}

listed() { local all; all=$(printf '%s, ' "$@"); echo "${all%, }"; }

# may_install sets as_root to the command prefix that runs a command as root.
as_root=()
may_install() {
    have apt-get || return
    if [ "$(id -u)" = 0 ]; then as_root=(env); return; fi
    have sudo && sudo -n true 2>/dev/null && as_root=(sudo -n env)
}

# Without a home folder in the environment, the one of the user database.
[ -n "${HOME:-}" ] || { unset HOME; HOME=$(echo ~); export HOME; }

look "$@"
if [ ${#people[@]} -eq 0 ] && [ ${#missing[@]} -eq 0 ]; then exit; fi
if [ ${#people[@]} -gt 0 ] || ! may_install; then
    debian=""
    [ ${#packages[@]} -eq 0 ] || debian="; on Debian, as root: apt-get update && apt-get install ${packages[*]}"
    fail "please install: $(listed ${people[@]+"${people[@]}"} ${missing[@]+"${missing[@]}"})$debian"
fi

# One at a time: make runs several rules at once. A process that has waited checks again.
if have flock; then
    exec 9<scripts/setup.sh
    flock 9
    look "$@"
    [ ${#missing[@]} -gt 0 ] || exit 0
fi
echo "setup: installing $(listed "${missing[@]}")" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { (umask 022 && "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 "$@" 9>&- </dev/null) >>"$log" 2>&1; }
# The lists may be stale or absent: fetch them first. One source that fails may not be needed.
apt update || true
if ! apt install -y --no-install-recommends "${packages[@]}"; then
    tail -n 20 "$log" >&2
    fail "apt could not install ${packages[*]} (above); please install: $(listed "${missing[@]}")"
fi
installed=${packages[*]}
look "$@"
[ ${#missing[@]} -eq 0 ] || fail "apt installed $installed, and still missing: $(listed "${missing[@]}")"
