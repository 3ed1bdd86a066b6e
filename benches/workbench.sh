# Sourced by the scripts beside it: our library, the corpus of repeated requests, the stream of different ones, the rules of the benchmark, and the
# program that leads transactions through the C interface. All that is made lies in $bench and is gone at the end.

# Makes it all ready. Arguments are options for the compiler of abi_bench.
prepare() {
    shared=$(realpath "${SECRULE_SHARED:-../shared}")
    [ -d "$shared/tools" ] || { echo "$shared is not there: nothing was measured; SECRULE_SHARED names another folder" >&2; exit 2; }
    make --silent capi
    ours=$(realpath "${CARGO_TARGET_DIR:-target}/capi/libmodsecurity.so.3")
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
