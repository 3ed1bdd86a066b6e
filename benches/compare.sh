#!/usr/bin/env bash
# Our library and libmodsecurity, through the same C interface, with the same program, rules and requests, in one run.
#
#   benches/compare.sh [LIBMODSECURITY.so]      Debian's where none is named
#
# There are two sets of requests. A corpus of 17 cases is repeated, case by case: medians, p99, their ratio, and the geometric mean. A stream of
# thousands of different requests is judged once in a new process, right after the load, and once more: sum, median, p99, p99.9. Then come load
# time, memory, and what a second thread brings. The libraries take turns, and the lowest figure of all turns counts, so that what else the
# machine does weighs less. Ends with 1 where a verdict differs, unless stream_differences.txt says why.
#   TURNS=3         turns of each library
#   ITERATIONS=200  transactions of each case in a turn
#   DURATION=3      seconds that threads run in a turn
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/workbench.sh

peer=${1:-/usr/lib/x86_64-linux-gnu/libmodsecurity.so.3}
[ -e "$peer" ] || { echo "$peer is not there: install libmodsecurity3, or name its library" >&2; exit 2; }
prepare -O2

turn() { # NAME LIBRARY NUMBER
    "$bench/abi_bench" "$2" "$bench/rules.conf" "$bench/corpus" "${ITERATIONS:-200}" >"$bench/$1.cases.$3"
    "$bench/abi_bench" "$2" "$bench/rules.conf" --stream "$bench/stream" 2 >"$bench/$1.stream.$3"
    for threads in 1 2; do
        "$bench/abi_bench" "$2" "$bench/rules.conf" "$bench/corpus" 1 "$threads" "${DURATION:-3}" >"$bench/$1.threads$threads.$3"
    done
}

for number in $(seq "${TURNS:-3}"); do
    turn peer "$peer" "$number"
    turn ours "$ours" "$number"
done
python3 "$shared/tools/raw_corpus.py" "$bench/rules.conf" "$ours,$peer" "$shared/traffic/requests.gz" --json "$bench/verdicts.json" >"$bench/verdicts.log"
python3 benches/compare.py "$bench"
