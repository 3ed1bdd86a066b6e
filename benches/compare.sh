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
#   OURS=path       another library than that of `make capi`
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/workbench.sh

find_peer "$@"
prepare -O2
for number in $(seq "${TURNS:-3}"); do
    time_transactions peer "$peer" "$number"
    time_transactions ours "$ours" "$number"
done
judge_stream
python3 benches/compare.py "$bench"
