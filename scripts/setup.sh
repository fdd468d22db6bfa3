#!/usr/bin/env bash
# Makes sure that what a target needs is there: installs it through apt when it
# may (root, or sudo without a password), and otherwise says in one line what to
# install. Takes the needs as arguments: base rust cc
# chromium browsers capnp.
set -euo pipefail
cd "$(dirname "$0")/.."

# One at a time: make runs several rules at once, apt does not.
mkdir -p build
if command -v flock >/dev/null; then exec 9>build/.setup-lock && flock 9; fi

fail() { echo "setup: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# at_least HAVE WANTED compares dotted versions.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }

# browser VAR NAME... reports whether test/browser/lib/find.mjs will find one: the
# program that VAR names, else the first NAME in PATH.
browser() {
    local name
    [ -x "${!1:-}" ] && return
    for name in "${@:2}"; do have "$name" && return; done
    return 1
}
chromium() { browser CHROMIUM chromium chromium-browser google-chrome || need "Chromium" chromium; }
firefox() { browser FIREFOX firefox-esr firefox || need "Firefox" firefox-esr; }

packages=() # what apt is to install
missing=()  # the same, for people without apt

need() { packages+=("${@:2}"); missing+=("$1"); }

for what in "$@"; do
    case $what in
    base)
        have go || fail "install Go $(sed -n 's/^go //p' go.mod) or later (https://go.dev/dl)"
        have node || need "Node.js 20.19 or later" nodejs npm
        have npm || need "npm" npm
        have git || need "git" git
        ;;
    rust)
        env -u MAKEFLAGS -u MFLAGS scripts/rust-sysroot.sh --check ||
            need "a Rust toolchain with cargo (rustup component add rust-src, or Debian's rustc-web)" rustc-web cargo-web rust-web-src lld-22
        ;;
    cc) have cc || need "a C compiler" gcc libc6-dev ;; # for go test -race and for cargo test
    chromium) chromium ;;
    browsers) chromium && firefox ;;
    capnp) have capnp || need "Cap'n Proto's compiler" capnproto ;;
    *) fail "unknown need '$what'" ;;
    esac
done

if [ ${#packages[@]} -gt 0 ]; then
    as_root=()
    if [ "$(id -u)" != 0 ]; then
        if have sudo && sudo -n true 2>/dev/null; then as_root=(sudo -n); else as_root=(false); fi
    fi
    wanted=$(printf '%s, ' "${missing[@]}")
    wanted=${wanted%, }
    if ! have apt-get || [ "${as_root[0]:-}" = false ]; then
        fail "please install: $wanted (on Debian: apt-get install ${packages[*]})"
    fi
    echo "setup: installing $wanted" >&2
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # The lists may be stale or absent: fetch them once, then install.
    if ! { "${as_root[@]}" apt-get -q update && "${as_root[@]}" apt-get -q install -y --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "apt could not install ${packages[*]}; please install: $wanted"
    fi
    rm -f "$log"
fi

if printf '%s\n' "$@" | grep -qx base; then
    found=$(node --version)
    at_least "${found#v}" 20.19 || fail "install Node.js 20.19 or later (this is $found)"
fi
