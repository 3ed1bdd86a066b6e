# Sourced by the scripts beside it: our library, the corpus of repeated requests, the stream of different ones, the rules of the benchmark, and the
# program that leads transactions through the C interface. All that is made lies in $bench and is gone at the end.
#   OURS=path       measures this library in place of the one that `make capi` builds
#   BUILT=words     how it was built, where the file `built` beside it, which make writes, does not say so

# Makes it all ready. Arguments are options for the compiler of abi_bench.
prepare() {
    shared=$(realpath "${SECRULE_SHARED:-../shared}")
    [ -d "$shared/tools" ] || { echo "$shared is not there: nothing was measured; SECRULE_SHARED names another folder" >&2; exit 2; }
    [ -n "${OURS:-}" ] || make --silent capi
    ours=$(realpath -e "${OURS:-${CARGO_TARGET_DIR:-target}/capi/libmodsecurity.so.3}")
    built=${BUILT:-$(cat "$(dirname "$ours")/built" 2>/dev/null || echo "in an unknown way")}
    bench=$(mktemp -d)
    trap 'rm -rf "$bench"' EXIT
    python3 "$shared/tools/make_corpus.py" "$bench/corpus"
    python3 "$shared/tools/raw_corpus.py" --stream "$bench/stream" "$shared/traffic/requests.gz"
    {
        sed "s#@SHARED@#$shared#g" "$shared/tools/engine.conf.in"
        echo "Include $shared/crs/crs-setup.conf.example"
        echo "Include $shared/crs/rules/*.conf"
    } >"$bench/rules.conf"
    cc "$@" -w -o "$bench/abi_bench" "$shared/tools/abi_bench.c" -ldl -lpthread
}

# Finds the peer: the library that is named, or Debian's.
find_peer() { # [LIBRARY]
    peer=${1:-/usr/lib/x86_64-linux-gnu/libmodsecurity.so.3}
    [ -e "$peer" ] || { echo "$peer is not there: install libmodsecurity3, or name its library" >&2; exit 2; }
}

# One turn of a library: the cases, the stream, threads.
time_transactions() { # NAME LIBRARY NUMBER
    "$bench/abi_bench" "$2" "$bench/rules.conf" "$bench/corpus" "${ITERATIONS:-200}" >"$bench/$1.cases.$3"
    "$bench/abi_bench" "$2" "$bench/rules.conf" --stream "$bench/stream" 2 >"$bench/$1.stream.$3"
    for threads in 1 2; do
        "$bench/abi_bench" "$2" "$bench/rules.conf" "$bench/corpus" 1 "$threads" "${DURATION:-3}" >"$bench/$1.threads$threads.$3"
    done
}

# The verdicts of both libraries on the stream.
judge_stream() {
    python3 "$shared/tools/raw_corpus.py" "$bench/rules.conf" "$ours,$peer" "$shared/traffic/requests.gz" --json "$bench/verdicts.json" >"$bench/verdicts.log"
}
