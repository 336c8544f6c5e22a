#!/bin/sh
# Fills fuzz/corpus with recordings to begin from. The folder is not part of the repository.
set -eu
cd "$(dirname "$0")"
for target in decoder import fields events bench load live folder explain ipc http response scenario import_load; do mkdir -p "corpus/$target"; done
printf '%s' '{"Type":"T","Method":"M","Parameters":"N=1","Statistics":{"N":2,"Mean":1.5,"Median":NaN,"ConfidenceInterval":{"Lower":"","Upper":2}},"Memory":{"BytesAllocatedPerOperation":8},"Measurements":[{"IterationMode":"Workload","IterationStage":"Result","LaunchIndex":1,"IterationIndex":1,"Operations":16,"Nanoseconds":33}]}]}' >corpus/bench/one.json
printf '%s' '"planned":4,"responses":3,"errors":{"refused":1},"timeouts":0,"unsent":0,"schedule":{"kind":"constant","rate":2.5},"rate":{"asked":2.5},"latency_ms":{"from_schedule":{"p50":0.2,"p99":null}},"status":{"200":3},"seconds":2.0,"client":{"limited":false},"by_second":{"columns":["ts_ns","dur_ns","asked"],"rows":[[0,1000000000,2],[1000000000,1000000000,2]]},"steady":{"verdict":"not steady","changes":[{"ts_ns":1,"before_ms":1,"after_ms":2}]},"ended":"complete","notes":["a"]}' >corpus/load/one
printf '\000#[StartTime: 1796058000.123 (seconds since epoch)]\nTag=schedule,0.000,1.000,0.2,HISTFAAAACV4nJNpmSzMwMDAwgABzFCaEYhfXFkqwGD/ASIgwszEAgBsKQUM\n1.000,1.000,0.2,HISTFAAAACV4nJNpmSzMwMDAwgABzFCaEYhfXFkqwGD/ASIgwszEAgBsKQUM\n' >>corpus/load/one
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
printf '\000\007HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' >corpus/response/one
printf '%s' '[[csv]]
file = "a"
[[flow]]
[[flow.step]]
path = "/a/{{u}}?n={{random.int 1 9}}"
extract = { id = { json = "$.a[0]" } }
[[flow.step]]
path = "/b/{{id}}"
expect = { status = 200, body_matches = "a+" }
' >corpus/scenario/one
printf '\000\000' >corpus/import_load/curl
cat ../crates/press/load/tests/import/browser.sh >>corpus/import_load/curl
printf '\001\001' >corpus/import_load/har
cat ../crates/press/load/tests/import/session.har >>corpus/import_load/har
