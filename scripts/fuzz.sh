#!/usr/bin/env bash
# Fuzzes every target of the Go tests in turn, $FUZZ_TIME (10s) each; with names, those
# whose name matches one of them: scripts/fuzz.sh Voucher Decoders. Goes on after a
# failure, whose input go test has written below the package's testdata, and names what failed.
# The search for a shorter input, 60 s for each one of interest, would use the time up.
set -uo pipefail
cd "$(dirname "$0")/.."

wanted=$(IFS='|'; echo "$*")
failed=()
count=0
while IFS=: read -r file target; do
    [[ $target =~ ${wanted:-.} ]] || continue
    count=$((count + 1))
    echo "== ${file%/*} $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZ_TIME:-10s}" -fuzzminimizetime 200x "./${file%/*}" || failed+=("${file%/*} $target")
done < <(grep -rEo --include='*_test.go' '^func Fuzz\w+' $(scripts/test.sh --go) | sed 's/func //')
[ "$count" -gt 0 ] || { echo "no target matches ${wanted}"; exit 1; }
echo "$count targets, ${#failed[@]} failed"
for f in ${failed[@]+"${failed[@]}"}; do echo "failed: $f"; done
[ ${#failed[@]} -eq 0 ]
