#!/bin/sh
# Fills fuzz/corpus with recordings to begin from. The folder is not part of the repository.
set -eu
cd "$(dirname "$0")"
for target in decoder import fields events bench live folder explain ipc http; do mkdir -p "corpus/$target"; done
printf '%s' '{"Type":"T","Method":"M","Parameters":"N=1","Statistics":{"N":2,"Mean":1.5,"Median":NaN,"ConfidenceInterval":{"Lower":"","Upper":2}},"Memory":{"BytesAllocatedPerOperation":8},"Measurements":[{"IterationMode":"Workload","IterationStage":"Result","LaunchIndex":1,"IterationIndex":1,"Operations":16,"Nanoseconds":33}]}]}' >corpus/bench/one.json
printf 'kind = "nettrace"\nstate = "complete"\n[subject]\nname = "a"\n[[files]]\nname = "trace.nettrace"\nbytes = 1\n\000monotonic_ns,name,value,unit\n1,process.rss,1,B\n2,cores,2,cores\n\000monotonic_ns,thread,user_ns,system_ns,waited_ns\n1,1,1,1,\n\000abc' >corpus/folder/one
printf 'DOTNET_IPC_V1\000\034\000\377\000\000\000\001\000\000\000\000\000\000\000' >corpus/ipc/session
printf 'ADVR_V1\000aaaaaaaaaaaaaaaa\001\000\000\000\000\000\000\000\000\000' >corpus/ipc/advertise
printf 'GET /?token=aaaa HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: a=b\r\nSec-Fetch-Site: none\r\n\r\n' >corpus/http/get
for target in decoder import live; do
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
