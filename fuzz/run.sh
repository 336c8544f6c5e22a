#!/bin/sh
# Runs fuzz targets one after another: ./run.sh [SECONDS [TARGET…]]. Without arguments each target runs for ten minutes.
# It needs `cargo fuzz` and a nightly toolchain. A run that costs too much (src/meter.rs) or takes ten seconds is a failure
# as a panic is; its input is left in artifacts/TARGET.
set -eu
cd "$(dirname "$0")"
seconds=${1:-600}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- $(cargo +nightly fuzz list)
./seed.sh
failed=
for target in "$@"; do
    mkdir -p "corpus/$target"
    dictionary=
    case $target in decoder | import | live) dictionary=-dict=nettrace.dict ;; esac
    echo "# $target"
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -malloc_limit_mb=1024 -max_len=65536 -print_final_stats=1 $dictionary || failed="$failed $target"
done
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
