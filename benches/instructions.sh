#!/usr/bin/env bash
# How many instructions our library executes for one transaction once it is warm: a figure that does not depend on what else the machine does.
#
#   benches/instructions.sh            every case; written to benches/results/instructions-YYYY-MM-DD.txt
#   benches/instructions.sh CASE…      only these, such as 01-get-static; only shown
#
# Callgrind counts within abi_bench's `run` alone, once with 20 and once with 60 transactions; the difference divided by 40 is what one costs
# after whatever is built when it is first needed. It takes some ten seconds a case.
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/workbench.sh

command -v valgrind >/dev/null || { echo "valgrind is not there: install it" >&2; exit 2; }
# Inlined, `run` would have no name to count by.
prepare -O1 -g -fno-inline

count() { # CASE ITERATIONS
    local out="$bench/callgrind.$1.$2"
    valgrind --quiet --tool=callgrind --collect-atstart=no --toggle-collect=run --callgrind-out-file="$out" \
        "$bench/abi_bench" "$ours" "$bench/rules.conf" "$bench/only/$1" "$2" >/dev/null
    awk '/^(summary|totals):/ { print $2; exit }' "$out"
}

measure() {
    echo "# instructions per transaction, $(date +%F), $(git rev-parse --short HEAD), $(rustc --version)"
    local total=0
    for case in "$@"; do
        mkdir -p "$bench/only/$case"
        cp "$bench/corpus/$case".* "$bench/only/$case/"
        local few many each
        few=$(count "$case" 20)
        many=$(count "$case" 60)
        each=$(((many - few) / 40))
        total=$((total + each))
        printf '%-24s %12d\n' "$case" "$each"
    done
    printf '%-24s %12d\n' sum "$total"
}

if [ $# -gt 0 ]; then
    measure "$@"
else
    mkdir -p benches/results
    cases=$(cd "$bench/corpus" && ls *.http | sed 's/\.http$//')
    measure $cases | tee "benches/results/instructions-$(date +%F).txt"
fi
