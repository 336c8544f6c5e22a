#!/bin/sh
# Fills fuzz/corpus with recordings to begin from. The folder is not part of the repository.
set -eu
cd "$(dirname "$0")"
mkdir -p corpus/decoder corpus/import corpus/fields corpus/events corpus/bench
printf '%s' '{"Type":"T","Method":"M","Parameters":"N=1","Statistics":{"N":2,"Mean":1.5,"Median":NaN,"ConfidenceInterval":{"Lower":"","Upper":2}},"Memory":{"BytesAllocatedPerOperation":8},"Measurements":[{"IterationMode":"Workload","IterationStage":"Result","LaunchIndex":1,"IterationIndex":1,"Operations":16,"Nanoseconds":33}]}]}' >corpus/bench/one.json
for target in decoder import; do
    for file in ../fixtures/format/*.nettrace ../fixtures/format/*.netperf; do
        cp "$file" "corpus/$target/"
    done
    for name in net31 net8 starvation; do
        # A start of each: what follows repeats it, and a small input is changed more often.
        zstd -q -d --long=27 -c "../fixtures/$name.nettrace.zst" >"corpus/$name.unpacked"
        for bytes in 12000 60000; do
            head -c "$bytes" "corpus/$name.unpacked" >"corpus/$target/$name-$bytes.nettrace"
        done
        rm "corpus/$name.unpacked"
    done
done
