#!/usr/bin/env bash
# Checks the ring protocol of capsules exhaustively with spin: the models in
# model/ must hold, and each of their deliberately broken variants must not.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh spin

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
models=$PWD/model

# verify MODEL FLAG... leaves pan's report in $scratch/report.
verify() {
    local model=$1 dir
    dir=$(mktemp -d "$scratch/XXXX")
    (
        cd "$dir"
        spin "${@:2}" -a "$models/$model.pml" >spin.out 2>&1 || { cat spin.out; exit 1; }
        gcc -O2 -w -DSAFETY -DVECTORSZ=2048 -DMEMLIM=1500 -o pan pan.c
        timeout 180 ./pan -m1000000
    ) >"$scratch/report" 2>&1 || { cat "$scratch/report" >&2; return 1; }
    if ! grep -q 'errors: ' "$scratch/report" || grep -q 'error: max search depth too small\|out of memory\|Search not completed' <(grep -v '^Warning: Search not completed' "$scratch/report"); then
        cat "$scratch/report" >&2
        return 1
    fi
}

states() { sed -n 's/ *\([0-9.e+]*\) states, stored.*/\1/p' "$scratch/report"; }

# holds MODEL FLAG...: the search is complete and finds no error.
holds() {
    verify "$@"
    if ! grep -q 'errors: 0$' "$scratch/report" || grep -q 'not completed' "$scratch/report"; then
        echo "FAIL $*: an error was found" >&2
        cat "$scratch/report" >&2
        exit 1
    fi
    echo "ok   $*: no error in $(states) states"
}

# fails MODEL FLAG...: an error is found, so that the check can fail at all.
fails() {
    verify "$@"
    if grep -q 'errors: 0$' "$scratch/report"; then
        echo "FAIL $*: this broken variant passes" >&2
        exit 1
    fi
    echo "ok   $*: found wrong: $(sed -n 's/^pan:[0-9]*: \(.*\) (at depth.*/\1/p' "$scratch/report" | head -n1)"
}

holds events
holds events -DSIZE=8 -DFRAMES=3
holds events -DKILL -DFRAMES=3
holds commands
holds commands -DDATA
holds commands -DDATA -DSIZE=8 -DLAST_LONG
holds commands -DHEAR
holds commands -DFREEZE -DDATA
holds paused
fails events -DBREAK_NO_SECOND_LOOK
fails events -DBREAK_TAIL_FIRST
fails events -DBREAK_HEAD_FIRST
fails events -DBREAK_NO_WAKE
fails events -DBREAK_EARLY_LOOK
fails events -DBREAK_SLEEP_ON_DOORBELL
fails commands -DBREAK_IDLE
fails commands -DBREAK_OVERWRITE
fails commands -DBREAK_NO_WAITING -DDATA -DSIZE=8 -DLAST_LONG
fails commands -DBREAK_NO_SECOND_LOOK -DDATA
fails commands -DBREAK_EARLY_RING -DDATA
fails commands -DBREAK_EARLY_LOOK
fails commands -DHEAR -DBREAK_HEAR_WITHOUT_LOCK
fails commands -DFREEZE -DDATA -DBREAK_STAYS_HELD
fails commands -DFREEZE -DDATA -DBREAK_THAW_UNHEARD
fails commands -DFREEZE -DDATA -DBREAK_FREEZE_UNSEEN
fails paused -DBREAK_NO_SPARE
fails paused -DBREAK_IN_ORDER
fails paused -DBREAK_NO_SKIP
fails paused -DBREAK_IDLE
echo "model-check: the rings lose, overwrite and repeat nothing, and every wait ends"
