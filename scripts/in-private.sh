#!/usr/bin/env bash
# Runs a command in mount and process namespaces of its own, as root:
#
#   scripts/in-private.sh COMMAND...
#
# with the path of an empty temporary folder in $PRIVATE and no standard input.
# However it ends, by itself, by a signal or by SIGKILL to this process, nothing of
# it is left: no process, no mount, no folder. The exit code is the command's.
set -euo pipefail
{ # read as a whole before it runs: an edit meanwhile changes nothing

if [ "${1:-}" != --keep ]; then
    # The pipe ends with this process, whatever ends it. The keeper has a session of
    # its own: a signal to this process group, as Ctrl-C sends, passes it by.
    exec {life}> >(exec setsid "$0" --keep "$@")
    keeper=$!
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'trap "" HUP INT TERM; exec {life}>&-; wait "$keeper" || true' EXIT
    wait "$keeper"
    exit
fi

shift
exec {life}<&0 </dev/null
PRIVATE=$(mktemp -d "${TMPDIR:-/tmp}/inos-private.XXXXXX")
export PRIVATE
unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$@" {life}<&- &
unshared=$!

# When the first process of a process namespace is killed, none of the others and none of their
# mounts is left; unshare ends after that. It is stopped so that it does not start the first process
# meanwhile.
end() {
    local first
    kill -STOP "$unshared" || return
    read -r first <"/proc/$unshared/task/$unshared/children" || true
    kill -KILL "${first:-$unshared}" || true
    kill -CONT "$unshared" || true
}
{ read -r || end; } <&"$life" 2>/dev/null &
waits=$!

code=0
wait "$unshared" || code=$?
kill -KILL "$waits" 2>/dev/null || true
wait "$waits" 2>/dev/null || true
rm -rf --one-file-system "$PRIVATE"
exit "$code"
}
