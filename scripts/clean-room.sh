#!/usr/bin/env bash
# Runs the README's first commands as on a fresh machine: a minimal Debian of this machine's release
# and package sources, in a private folder, with the README's prerequisites and nothing else. The
# commit of HEAD is cloned there. Without the prerequisites, make demo must say so in one line and
# leave nothing, as root and as a user; then root's make demo and the shell stage of the tests must
# pass.
#
# This machine provides the names of the network, its certificates and the configuration of the
# package managers; the project's own set-up installs whatever else a command needs. Debian's
# packages are kept between runs in ${XDG_CACHE_HOME:-~/.cache}/inos/clean-room. Needs root, or sudo
# without a password.
#
# With a command it runs that in the clone, as root, in place of make demo and what
# follows: scripts/clean-room.sh make -j8 demo
#
# Ends with one line that counts the stages. Each stage's output is kept in
# build/clean-room/NAME.log. No process, mount or folder is left, however it ends.
set -euo pipefail
cd "$(dirname "$0")/.."
LOGS=$PWD/build/clean-room

fail() { echo "clean-room: $*" >&2; exit 1; }

if [ "${1:-}" != --inside ]; then
    scripts/setup.sh base room
    rm -rf "$LOGS"
    mkdir -p "$LOGS" "${XDG_CACHE_HOME:-$HOME/.cache}/inos/clean-room/archives" # the caller's, not root's
    [ -z "$(git status --porcelain --untracked-files=no)" ] || echo "clean-room: what is not committed is not in it" >&2
    as_root=()
    if [ "$(id -u)" != 0 ]; then
        { type -P sudo && sudo -n true; } >/dev/null 2>&1 || fail "needs root, or sudo without a password"
        as_root=(sudo -n --preserve-env env "HOME=$HOME" "PATH=$PATH")
    fi
    CLEAN_ROOM_GO=$(go env GOROOT) CLEAN_ROOM_GO_ENV=$(go env GOENV)
    export CLEAN_ROOM_GO CLEAN_ROOM_GO_ENV
    # In place of this process, so that a signal to this one ends that one.
    exec ${as_root[@]+"${as_root[@]}"} scripts/in-private.sh scripts/clean-room.sh --inside "$@"
fi

shift
ROOM=$PRIVATE/room
KEPT=${XDG_CACHE_HOME:-~/.cache}/inos/clean-room
CLONE="inos kernel" # with a space, as a folder may have
export TMPDIR=$PRIVATE/tmp
mkdir -p "$ROOM" "$TMPDIR"
chmod 755 "$PRIVATE" "$ROOM" "$KEPT/archives"
chmod 1777 "$TMPDIR" # apt fetches as a user of its own
exec {kept}>"$KEPT/lock"
flock --nonblock "$kept" || { echo "clean-room: waits for another one"; flock "$kept"; }

passed=0 failed=0
trap 'printf "\n%d passed, %d failed\n" "$passed" "$failed"' EXIT

# stage NAME WHAT COMMAND... runs one stage; the stages after a failed one depend on it.
stage() {
    local name=$1 what=$2 began=$SECONDS how=passed
    failed=1
    shift 2
    printf '\n=== %s: %s\n' "$name" "$what"
    # A function in a condition goes on after errors, a shell of its own does not.
    set +e
    (set -e; "$@") 2>&1 | tee "$LOGS/$name.log"
    [ "${PIPESTATUS[0]}" = 0 ] || how=failed
    set -e
    printf -- '--- %s %s after %d s\n' "$name" "$how" $((SECONDS - began))
    [ "$how" = passed ] || exit 1
    failed=0
    passed=$((passed + 1))
}

# passed_on prints the variables by which programs are told of proxies, certificates
# and registries, NAME=VALUE each, ended by a zero byte.
passed_on() {
    env -0 | grep -zE '^([a-z]+_proxy|[A-Z]+_PROXY|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|CURL_CA_BUNDLE|GIT_SSL_[A-Z]+|GO(PROXY|NOPROXY|PRIVATE|SUMDB|NOSUMDB|INSECURE|AUTH)|CARGO_(HTTP|NET|REGISTRIES|REGISTRY|SOURCE)_[A-Z0-9_]+|(npm_config|NPM_CONFIG)_(registry|REGISTRY|cafile|CAFILE|https?_proxy|noproxy|strict_ssl))=' || true
}

# copied PATH... copies files and folders of this machine into the room, to the same paths; missing
# ones are left out.
copied() {
    local path
    for path in "$@"; do
        [ -e "$path" ] || continue
        mkdir -p "$ROOM$(dirname "$path")"
        # A link in the room would be followed to this machine's file.
        cp -RLT --remove-destination --preserve=mode,timestamps "$path" "$ROOM$path"
    done
}

# as USER COMMAND... runs it in the clone of the user's home folder, with the little
# that is in the environment of a service: no locale, and files for nobody else.
as() {
    local user=$1 home=/root path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin variables
    shift
    if [ "$user" != root ]; then home=/home/$user path=/usr/local/bin:/usr/bin:/bin; fi
    mapfile -d '' variables < <(passed_on)
    chroot --userspec="$user:$user" --groups= "$ROOM" \
        /usr/bin/env -i HOME="$home" USER="$user" PATH="$path:/usr/local/go/bin" ${variables[@]+"${variables[@]}"} \
        bash -c 'umask 077; cd && { [ ! -d "$0" ] || cd "$0"; } && exec "$@"' "$CLONE" "$@" </dev/null
}

bootstrap() {
    local sources=() file hook
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        if [ -s "$file" ]; then sources+=("$file"); fi
    done
    [ ${#sources[@]} -gt 0 ] || fail "apt has no package sources here"
    apt-config dump Acquire >"$PRIVATE/apt.conf"
    # Packages are fetched into the kept folder, and stay there.
    hook='mkdir -p "$1/etc/apt" "$1/var/cache/apt/archives" && mount --bind "'$KEPT'/archives" "$1/var/cache/apt/archives"'
    hook+=' && for f in auth.conf auth.conf.d keyrings; do [ ! -e "/etc/apt/$f" ] || cp -RLT "/etc/apt/$f" "$1/etc/apt/$f"; done'
    mmdebstrap --mode=root --variant=minbase --include=ca-certificates,git,make \
        --aptopt="$PRIVATE/apt.conf" --dpkgopt=force-unsafe-io \
        --skip=download/empty,essential/unlink,cleanup/apt/cache --setup-hook="$hook" \
        "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$ROOM" "${sources[@]}"
}

# furnish mounts and copies what a running machine has, and creates the user.
furnish() {
    local home device variables
    mount -t proc proc "$ROOM/proc"
    mount --rbind --make-rslave /sys "$ROOM/sys"
    mount -t tmpfs -o mode=755 dev "$ROOM/dev"
    for device in null zero full random urandom tty; do
        touch "$ROOM/dev/$device"
        mount --bind "/dev/$device" "$ROOM/dev/$device"
    done
    mkdir "$ROOM/dev/shm" "$ROOM/dev/pts"
    mount -t tmpfs -o mode=1777 shm "$ROOM/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$ROOM/dev/pts"
    ln -s pts/ptmx "$ROOM/dev/ptmx"
    ln -s /proc/self/fd "$ROOM/dev/fd"
    mount --bind "$KEPT/archives" "$ROOM/var/cache/apt/archives"

    copied /etc/resolv.conf /etc/hosts /etc/ssl/certs /usr/local/share/ca-certificates /etc/npmrc \
        /etc/apt/trusted.gpg /etc/apt/trusted.gpg.d /etc/apt/preferences /etc/apt/preferences.d /usr/share/keyrings
    mapfile -d '' variables < <(passed_on)
    for device in ${variables[@]+"${variables[@]}"}; do
        case ${device#*=} in /*) copied "${device#*=}" ;; esac
    done
    chroot "$ROOM" useradd --create-home --shell /bin/bash newcomer
    for home in /root /home/newcomer; do
        mkdir -p "$ROOM$home/.config/go" "$ROOM$home/.cargo"
        if [ -f "$CLEAN_ROOM_GO_ENV" ]; then cp "$CLEAN_ROOM_GO_ENV" "$ROOM$home/.config/go/env"; fi
        if [ -f ~/.npmrc ]; then cp ~/.npmrc "$ROOM$home/.npmrc"; fi
        if [ -f "${CARGO_HOME:-$HOME/.cargo}/config.toml" ]; then cp "${CARGO_HOME:-$HOME/.cargo}/config.toml" "$ROOM$home/.cargo/"; fi
    done
    chroot "$ROOM" chown -R newcomer:newcomer /home/newcomer
}

# The clone is the newcomer's own, by the room's git. The repository may be another
# user's, which git refuses by default.
cloned() {
    local user home
    printf '[safe]\n\tdirectory = *\n' >"$PRIVATE/gitconfig"
    for user in root newcomer; do
        home=/root
        [ "$user" = root ] || home=/home/$user
        GIT_CONFIG_GLOBAL=$PRIVATE/gitconfig git clone --quiet --bare --depth 1 "file://$PWD" "$ROOM$home/origin.git"
        chroot "$ROOM" chown -R "$user:$user" "$home/origin.git"
        as "$user" git clone --quiet "file://$home/origin.git" "$CLONE"
    done
    as root git log --oneline -1
}

built() {
    bootstrap
    furnish
    cloned
}

# files prints the room's files, without Go's own counters. A folder's time changes when something
# in it is created or removed.
files() { find "$ROOM" -xdev -path '*/.config/go/telemetry' -prune -o -type d -printf '%p\n' -o -printf '%p %s %T@\n' | sort; }

# told USER WORD... : make demo fails, in one line that has all words, and changes nothing.
told() {
    local user=$1 word code=0
    shift
    files >"$PRIVATE/before"
    as "$user" make demo >"$PRIVATE/said" 2>&1 || code=$?
    files >"$PRIVATE/after"
    cat "$PRIVATE/said"
    [ "$code" != 0 ] || fail "$user: make demo ended with 0"
    diff "$PRIVATE/before" "$PRIVATE/after" || fail "$user: make demo left something (above)"
    grep -v '^make: \*\*\*' "$PRIVATE/said" >"$PRIVATE/line" || true
    [ "$(wc -l <"$PRIVATE/line")" = 1 ] || fail "$user: make demo did not say it in one line"
    for word in "$@"; do
        grep -qF -- "$word" "$PRIVATE/line" || fail "$user: make demo did not name '$word'"
    done
}

nothing_there() {
    told root "Go 1." "Node.js" npm Chromium "a Rust toolchain"
    told newcomer "Go 1." "Node.js" npm Chromium "a Rust toolchain"
}

# put_in installs the README's prerequisites.
put_in() {
    local npm
    mkdir -p "$ROOM/usr/local/go"
    mount --bind "$CLEAN_ROOM_GO" "$ROOM/usr/local/go"
    mount -o remount,bind,ro "$ROOM/usr/local/go"
    npm=$(readlink -f "$(type -P npm)")
    npm=${npm%/bin/*}
    [ -f "$npm/bin/npm-cli.js" ] || fail "npm is not a folder of its own here: $npm"
    install -m 755 "$(node -p process.execPath)" "$ROOM/usr/local/bin/node"
    mkdir -p "$ROOM/usr/local/lib/node_modules"
    cp -RT "$npm" "$ROOM/usr/local/lib/node_modules/npm"
    ln -s ../lib/node_modules/npm/bin/npm-cli.js "$ROOM/usr/local/bin/npm"
    ln -s ../lib/node_modules/npm/bin/npx-cli.js "$ROOM/usr/local/bin/npx"
    as newcomer bash -c 'go version && node --version && npm --version'
}

no_root() {
    told newcomer Chromium "a Rust toolchain" "apt-get install chromium rustc-web"
    ! grep -E 'Go 1\.|Node\.js|npm' "$PRIVATE/line" || fail "what is there was named"
}

# All users can use what root installed.
everybodys() { as newcomer scripts/setup.sh base rust chromium; }

{ # read as a whole before it runs: an edit meanwhile changes nothing
stage room "a minimal Debian" built
stage nothing "make demo without anything that it needs, as root and as a user" nothing_there
stage beforehand "Go and Node.js are put in" put_in
stage user "make demo as a user who may install nothing" no_root
if [ $# -gt 0 ]; then
    stage command "$*" as root "$@"
else
    stage demo "make demo, as root" as root make demo
    stage everybody "what it installed serves a user, too" everybodys
    stage shell "the shell stage of the tests" as root scripts/test.sh shell
fi
chroot "$ROOM" apt-get -qq autoclean >/dev/null # of the kept packages those that have a newer one
exit
}
