#!/usr/bin/env bash
# How many instructions our library executes for one transaction once it is warm: a figure that does not depend on what else the machine does.
#
#   benches/instructions.sh            every case, and the stream; written to benches/results/instructions-YYYY-MM-DD-COMMIT.txt
#   benches/instructions.sh CASE…      only these, such as 01-get-static or stream; only shown
#   benches/instructions.sh --parts    what each part of the plan saves in four cases and the stream; written to benches/results/plan-parts-…
#   OURS=path                          another library than that of `make capi`
#
# Callgrind counts within abi_bench's `run` alone. A case is repeated 20 times and 60 times; the difference divided by 40 is what one transaction
# costs after whatever is built when it is first needed. The stream has 500 different requests; a first pass and a second one are told apart.
# It takes some ten seconds a case, and two minutes for the stream.
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/workbench.sh

command -v valgrind >/dev/null || { echo "valgrind is not there: install it" >&2; exit 2; }
# Inlined, `run` would have no name to count by.
prepare -O1 -g -fno-inline

count() { # ARGUMENTS OF abi_bench AFTER THE RULES…
    local out="$bench/callgrind"
    valgrind --quiet --tool=callgrind --collect-atstart=no --toggle-collect=run --callgrind-out-file="$out" \
        "$bench/abi_bench" "$ours" "$bench/rules.conf" "$@" >/dev/null
    awk '/^(summary|totals):/ { print $2; exit }' "$out"
}

measure_stream() {
    python3 benches/thin_stream.py "$bench/stream" 500 >"$bench/stream.500"
    local first both
    first=$(count --stream "$bench/stream.500" 1)
    both=$(count --stream "$bench/stream.500" 2)
    printf '%-24s %12d\n' stream-first-pass $((first / 500)) stream-second-pass $(((both - first) / 500))
}

measure() {
    echo "# instructions per transaction, $(date +%F), $(git rev-parse --short HEAD), $(rustc --version), library built $built"
    local total=0
    for case in "$@"; do
        if [ "$case" = stream ]; then
            measure_stream
            continue
        fi
        mkdir -p "$bench/only/$case"
        cp "$bench/corpus/$case".* "$bench/only/$case/"
        local few many each
        few=$(count "$bench/only/$case" 20)
        many=$(count "$bench/only/$case" 60)
        each=$(((many - few) / 40))
        total=$((total + each))
        printf '%-24s %12d\n' "$case" "$each"
    done
    [ "$total" = 0 ] || printf '%-24s %12d\n' sum "$total"
}

# Leaves out each part in turn.
measure_parts() {
    local name
    local cases="01-get-static 04-post-json-2k 08-get-long-args 21-get-html-16k stream"
    echo "# instructions per transaction with the whole plan, without one part of it, and without a plan (SECRULE_PLAN), $(date +%F), $(git rev-parse --short HEAD)"
    for name in on no-prefilters no-tx-steps no-scan-memo no-early-bodies off; do
        SECRULE_PLAN=$name measure $cases | awk '!/^#/ && $1 != "sum"' >"$bench/plan.$name"
    done
    python3 benches/plan_parts.py "$bench"
}

if [ "${1:-}" = --parts ]; then
    mkdir -p benches/results
    measure_parts | tee "benches/results/plan-parts-$(date +%F)-$(git rev-parse --short HEAD).txt"
elif [ $# -gt 0 ]; then
    measure "$@"
else
    mkdir -p benches/results
    cases=$(cd "$bench/corpus" && ls *.http | sed 's/\.http$//')
    measure $cases stream | tee "benches/results/instructions-$(date +%F)-$(git rev-parse --short HEAD).txt"
fi
