//! Whole files of load runs, read.

use super::*;
use crate::{Options, open, open_bytes};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use model::{NO_INT, SCHEDULE, SEND};
use std::time::Duration;

const OPTIONS: Options = Options { payloads: false, threads: 1 };

const ACCOUNT: &str = r#"{"casebook_load":1,"url":"http://127.0.0.1:8080/","method":"GET","start_utc":"2026-11-30T17:00:00.123456789Z",
"schedule":{"kind":"constant","rate":200.0},"connections":50,"threads":1,"timeout_ms":10000.0,
"planned":400,"sent":400,"responses":390,"errors":{"refused":3,"reset":2},"timeouts":5,"unsent":0,
"rate":{"asked":200.0,"sent":200.0,"answered":195.0},
"latency_ms":{"from_schedule":{"p50":0.2,"p90":503.1,"p95":750.0,"p99":null,"p999":null,"max":995.0},"from_send":{"p50":0.1,"p90":0.3}},
"status":{"200":380,"503":10},"seconds":2.0,"client":{"cpu_share":0.12,"lateness_ms_p99":0.08,"limited":false},
"by_second":{"columns":["ts_ns","dur_ns","asked","sent","answered","errors","timeouts","lateness_max_ns"],
"rows":[[0,1000000000,200,200,190,5,5,80000],[1000000000,1000000000,200,200,200,0,0,null]]},
"steady":{"verdict":"not steady","changes":[{"ts_ns":1000000000,"before_ms":0.2,"after_ms":3.5}]},
"ended":"complete","notes":["a note"]}"#;

/// A log of the generator: an interval for each second and tag, each with these latencies in milliseconds.
fn log(seconds: &[&[(u64, u64)]], tags: &[Option<&str>]) -> Vec<u8> {
    let (mut bytes, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let start = std::time::UNIX_EPOCH + Duration::from_millis(1_796_058_000_123);
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("[Histogram log format version 1.3]").with_start_time(start);
    let mut writer = builder.begin_log_with(&mut bytes, &mut serializer).unwrap();
    for (at, values) in (0u64..).zip(seconds) {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        values.iter().for_each(|(millis, count)| histogram.record_n(millis * 1_000_000, *count).unwrap());
        for tag in tags {
            let tag = tag.map(|tag| Tag::new(tag).unwrap());
            writer.write_histogram(&histogram, Duration::from_secs(at), Duration::from_secs(1), tag).unwrap();
        }
    }
    bytes
}

fn of(bytes: &[u8]) -> Load {
    match open_bytes(bytes, "test", OPTIONS).unwrap() {
        Evidence::Load(load) => std::sync::Arc::into_inner(load).unwrap(),
        other => panic!("a {}", other.kind().title()),
    }
}

fn noted(load: &Load) -> Vec<&'static str> {
    load.lost.damage.kinds().iter().map(|kind| kind.what).collect()
}

#[test]
fn an_account_fills_the_tables_and_the_metrics() {
    let load = of(ACCOUNT.as_bytes());
    assert_eq!(noted(&load), [""; 0]);
    assert_eq!(load.seconds.answered, [190, 200]);
    assert_eq!(load.seconds.lateness_max_ns, [80_000, NO_INT]);
    assert_eq!(
        (load.exhibit.duration_ns, load.exhibit.start_utc.as_str()),
        (2_000_000_000, "2026-11-30T17:00:00.123456789Z")
    );
    let metric = |name: &str| load.metric(name);
    assert_eq!(
        (metric("errors"), metric("errors.refused"), metric("status.503")),
        (Some(5.0), Some(3.0), Some(10.0))
    );
    assert_eq!(
        (metric("p90"), metric("p99"), metric("latency_ms.from_send.p90")),
        (Some(503.1), None, Some(0.3))
    );
    assert_eq!((metric("error_share"), metric("client.limited")), (Some(0.05), Some(0.0)));
    assert_eq!(
        (load.quantile(SCHEDULE, 0.95), load.changes.after_ms.as_slice()),
        (Some(750.0), [3.5].as_slice())
    );
    assert_eq!(
        load.run.settings,
        [("rate".to_owned(), "200.0".to_owned())].map(|(name, _)| (name, "200".to_owned()))
    );
    assert_eq!(load.failures.count, [3, 2, 5], "time-outs are among the failures");
}

#[test]
fn an_account_that_does_not_add_up_is_damaged() {
    let load = of(ACCOUNT.replace("\"unsent\":0", "\"unsent\":1").as_bytes());
    assert_eq!(load.lost.damage.kinds().len(), 1);
    assert!(noted(&load)[0].contains("does not add up"));
    // A loop without a rate has nothing to add up.
    let closed = of(ACCOUNT.replace("\"planned\":400", "\"planned\":null").as_bytes());
    assert_eq!(noted(&closed), [""; 0]);
}

#[test]
fn members_of_another_type_are_counted_by_name_and_leave_null() {
    let check = |from: &str, to: &str, expected: &str| {
        let load = of(ACCOUNT.replacen(from, to, 1).as_bytes());
        assert_eq!(load.lost.damage.kinds().len(), 1, "{to}: {:?}", noted(&load));
        assert!(noted(&load)[0].contains(expected), "{to}: {:?}", noted(&load));
        assert!(load.lost.damage.kinds()[0].first_offset > 0, "{to}");
    };
    check("\"sent\":400", "\"sent\":\"many\"", "`sent`");
    check("\"sent\":400", "\"sent\":{}", "`sent`");
    check("\"cpu_share\":0.12", "\"cpu_share\":-1", "`client.cpu_share`");
    check("\"refused\":3", "\"refused\":3,\"x\":[]", "`errors` or `status`");
    check("[0,1000000000,200", "[0,1000000000,\"x\"", "not a whole number");
    check("2026-11-30T17", "yesterday", "not a time");
    check("\"casebook_load\":1", "\"casebook_load\":2", "another version");
    check("\"url\":\"http://127.0.0.1:8080/\"", "\"url\":[7]", "text in run.json");
}

#[test]
fn an_account_that_breaks_off_anywhere_is_read_up_to_there() {
    for at in 0..ACCOUNT.len() {
        let cut = &ACCOUNT.as_bytes()[..at];
        // Without the member that it is recognised by, it is any JSON.
        if !cut.windows(15).any(|window| window == b"\"casebook_load\"") {
            continue;
        }
        match open_bytes(cut, "cut", OPTIONS) {
            Ok(evidence) => assert!(evidence.lost().is_damaged(), "cut at {at}"),
            Err(error) => assert!(error.to_string().contains("breaks off"), "cut at {at}: {error}"),
        }
    }
}

#[test]
fn a_log_has_quantiles_of_the_whole_and_buckets_of_each_interval() {
    let load = of(&log(&[&[(1, 600), (900, 10)], &[(2, 390)]], &[Some(SCHEDULE), Some(SEND)]));
    assert_eq!(noted(&load), [""; 0]);
    let near =
        |found: Option<f64>, expected: f64| found.is_some_and(|found| (found / expected - 1.0).abs() < 0.002);
    assert!(near(load.quantile(SCHEDULE, 0.5), 1.0) && near(load.quantile(SEND, 0.99), 2.0));
    assert!(near(load.quantile(SCHEDULE, 1.0), 900.0) && near(load.metric("p99"), 2.0));
    assert_eq!(load.quantile(SCHEDULE, 0.999), None, "one sample above it says nothing");
    assert_eq!(
        (load.histogram.count.as_slice(), load.histogram.ts_ns[5]),
        ([600, 10, 600, 10, 390, 390].as_slice(), 1_000_000_000)
    );
    assert!(load.histogram.from_ms[1] < 900.0 && load.histogram.to_ms[1] > 900.0);
    assert_eq!(
        (load.exhibit.start_utc.as_str(), load.exhibit.duration_ns),
        ("2026-11-30T17:00:00.123Z", 2_000_000_000)
    );
}

#[test]
fn intervals_without_a_tag_count_from_the_send() {
    let load = of(&log(&[&[(5, 10)]], &[None]));
    assert_eq!((load.main_basis(), load.quantile(SEND, 0.5).is_some()), (Some(SEND), true));
}

#[test]
fn damaged_lines_of_a_log_are_counted_and_the_others_are_read() {
    let mut bytes = log(&[&[(5, 10)]], &[Some(SEND)]);
    bytes.extend_from_slice(
        b"Tag=send,1.0,1.0,0.0,HIST!!\nnonsense\nTag=send,1e99,1,1,HISTFAAA\nTag=send,1.0,1.0,0.0,HISTAAAA\n",
    );
    let load = of(&bytes);
    assert_eq!((load.histogram.count.as_slice(), load.lost.damage.lost()), ([10].as_slice(), 4));
    assert!(open_bytes(b"#[Histogram log format version 1.3]\n", "x", OPTIONS).is_err());
}

#[test]
fn both_files_of_a_folder_are_one_run() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("run.json"), ACCOUNT).unwrap();
    std::fs::write(folder.path().join("latency.hlog"), log(&[&[(1, 600)]], &[Some(SCHEDULE), Some(SEND)]))
        .unwrap();
    std::fs::write(folder.path().join("exhibit.toml"), "kind = \"load\"\n").unwrap();
    let Evidence::Load(load) = open(folder.path(), OPTIONS).unwrap() else { panic!("another kind") };
    assert_eq!((load.metric("p90"), load.histogram.count.len()), (Some(503.1), 2));
    assert!(load.quantile(SCHEDULE, 0.9).is_some_and(|ms| ms < 1.01), "the table is of the log");
    assert!(!load.lost.is_damaged(), "{:?}", load.lost);
}
