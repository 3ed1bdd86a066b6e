#!/usr/bin/env bash
# The table of results: our library and libmodsecurity on this machine, in one run.
#
#   benches/results.sh [LIBMODSECURITY.so]      Debian's where none is named
#
# Measures what compare.sh does, then loads, first requests, sites, large bodies, the longest call, and nginx with the ModSecurity connector. The
# libraries take turns, and the best figure of all turns counts. Writes benches/results/DATE-COMMIT.json, the same as a table for readers beside it
# (.md), and the row of the README; results.py says how. Then prints what compare.sh prints, and ends with 1 where a verdict differs for no known
# reason. Takes some four minutes a turn, and says on standard error what it does.
#   TURNS=3         turns of each library
#   ITERATIONS=200  transactions of each case in a turn
#   DURATION=3      seconds that threads and wrk run in a turn
#   OURS=path       another library than that of `make capi`, such as that of `make capi-pgo`
#   BUILT=words     how that was built, where no file `built` beside it says so
#   RESULTS=folder  writes the table there, and leaves the README as it is
# nginx is measured where nginx-light, libnginx-mod-http-modsecurity and wrk are installed; else the table says which are not.
set -euo pipefail
cd "$(dirname "$0")/.."
. benches/workbench.sh

# Sets of the same files: a set of libmodsecurity takes 37 MB.
our_sets=50 peer_sets=10

# Standard error of the tools goes to a file: our library reports each load there. It is shown if a tool fails.
say() { echo "$(date +%T) $*" >&3; }

measuring=

finish() {
    local status=$?
    # It ends its nginx first.
    [ -z "$measuring" ] || { kill "$measuring" && wait "$measuring"; } || true
    [ "$status" = 0 ] || tail -n 20 "$bench/errors" >&3
    rm -rf "$bench"
    exit "$status"
}

# In the background, so that an end of this script is not put off until it is done.
load_nginx() { # NAME NUMBER [LIBRARY]
    python3 benches/nginx.py "$bench/nginx" "$bench/rules.conf" "${DURATION:-3}" ${3:+"$3"} >"$bench/$1.nginx.$2" &
    measuring=$!
    wait "$measuring"
    measuring=
}

time_sites() { # NAME LIBRARY NUMBER SETS
    local mode
    for mode in "load 5" first "vmerge 50" "vhosts $4" big; do
        "$bench/abi_sites" "$2" "$bench/rules.conf" $mode >"$bench/$1.${mode%% *}.$3"
    done
    "$bench/longest_call" "$2" "$bench/rules.conf" >"$bench/$1.calls.$3"
}

turn() { # NAME LIBRARY NUMBER SETS
    say "turn $3, $1: cases, stream, threads"
    time_transactions "$1" "$2" "$3"
    "$bench/abi_bench" "$2" "$bench/rules.conf" --stream "$bench/short" 2 >"$bench/$1.short.$3"
    say "turn $3, $1: loads, sites, large bodies"
    time_sites "$1" "$2" "$3" "$4"
    say "turn $3, $1: nginx"
    load_nginx "$1" "$3" "$2"
}

find_peer "$@"
prepare -O2
exec 3>&2 2>"$bench/errors"
trap finish EXIT
cc -O2 -w -o "$bench/abi_sites" "$shared/tools/abi_sites.c" -ldl
cc -O2 -Icapi/include -o "$bench/longest_call" benches/longest_call.c -ldl
python3 benches/thin_stream.py "$bench/stream" --below 16384 >"$bench/short"
for number in $(seq "${TURNS:-3}"); do
    say "turn $number: nginx without a firewall"
    load_nginx none "$number"
    turn peer "$peer" "$number" "$peer_sets"
    turn ours "$ours" "$number" "$our_sets"
done
say "verdicts"
judge_stream
python3 benches/results.py write "$bench" "$ours" "$built" "${RESULTS:-}"
exec 2>&3
: >"$bench/errors"
python3 benches/compare.py "$bench"
