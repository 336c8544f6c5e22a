//! Trace in, tables out: what the small recordings hold, against what TraceEvent reads in them.

#![expect(clippy::unwrap_used, reason = "a test")]

use import::{Options, open};
use model::{NO_INT, StackId, Trace, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

fn fixture(name: &str) -> Arc<Trace> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures").join(name);
    open(&path, Options { payloads: true, threads: 2 }).unwrap().into_trace().unwrap()
}

/// How often each combination of values stands in some columns of a table.
fn counts(recording: &Trace, table: &str, columns: &[&str]) -> BTreeMap<String, usize> {
    let table = recording.table(table).unwrap();
    let at = |name: &str| table.spec.columns.iter().position(|column| column.name == name).unwrap();
    let columns: Vec<_> = columns.iter().map(|name| table.columns[at(name)]).collect();
    let mut counts = BTreeMap::new();
    for row in 0..table.rows {
        let text = |column: &model::Column<'_>| match column.value(row) {
            Value::Null => String::from("null"),
            Value::Int(value) => value.to_string(),
            Value::Real(value) => value.to_string(),
            Value::Text(text) => text.into_owned(),
        };
        let key: Vec<String> = columns.iter().map(text).collect();
        *counts.entry(key.join(" ")).or_default() += 1;
    }
    counts
}

fn map<const N: usize>(pairs: [(&str, usize); N]) -> BTreeMap<String, usize> {
    pairs.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

#[test]
fn net8() {
    let recording = fixture("net8.nettrace.zst");
    assert_eq!(recording.events.len(), 14_263);
    assert!(recording.lost.damage.is_empty() && recording.lost.truncated_at.is_none());
    assert_eq!(counts(&recording, "exceptions", &["type"]), map([("System.InvalidOperationException", 20)]));
    let contention: i64 = recording.contention.dur_ns.iter().filter(|ns| **ns != NO_INT).sum();
    assert_eq!((recording.contention.dur_ns.len(), contention), (11, 744_650_695));
    assert_eq!(recording.jit.ts_ns.len(), 21);
    // The 17 in native code fall between a contention's stop and the method that waited.
    let states = map([
        ("external null", 17),
        ("running null", 1953),
        ("waiting join", 1937),
        ("waiting lock", 584),
        ("waiting sleep", 634),
        ("waiting start", 1),
    ]);
    assert_eq!(counts(&recording, "samples", &["state", "waiting_on"]), states);
    let kinds =
        map([("finalizer", 1), ("main", 1), ("null", 1), ("sampler", 1), ("tiering", 1), ("user", 4)]);
    assert_eq!(counts(&recording, "threads", &["kind"]), kinds);
    assert_eq!(counts(&recording, "pauses", &["cause"]), map([("profiler", 1962)]));
    assert_eq!(recording.exhibit.runtime.as_deref(), Some("8.0.30"));
    assert_eq!(recording.exhibit.start_utc.len(), "2026-11-23T17:13:06.855Z".len());
}

#[test]
fn net31() {
    let recording = fixture("net31.nettrace.zst");
    assert_eq!(recording.events.len(), 13_854);
    assert_eq!(counts(&recording, "exceptions", &["type"]), map([("System.InvalidOperationException", 20)]));
    let contention: i64 = recording.contention.dur_ns.iter().filter(|ns| **ns != NO_INT).sum();
    assert_eq!((recording.contention.dur_ns.len(), contention), (8, 726_827_173));
    let adjusted = counts(&recording, "threadpool", &["event", "reason"]);
    assert_eq!(adjusted.get("adjustment Initializing"), Some(&1), "{adjusted:?}");
    let leaves = counts(&recording, "samples", &["stack"]);
    let burning: usize = leaves
        .iter()
        .filter(|(stack, _)| {
            stack
                .parse()
                .is_ok_and(|at| recording.leaf_name(StackId::new(at)) == Some("app!StartupHook.Burn()"))
        })
        .map(|(_, count)| count)
        .sum();
    assert_eq!(burning, 1968);
    // A wait for a lock has no frame of its own in this runtime; the contention events tell of it.
    let waiting = counts(&recording, "samples", &["state", "waiting_on"]);
    assert!(waiting.get("waiting lock").is_some_and(|count| *count > 500), "{waiting:?}");
}

#[test]
fn starvation() {
    let recording = fixture("starvation.nettrace.zst");
    let reasons = counts(&recording, "threadpool", &["event", "reason"]);
    assert_eq!(reasons.get("adjustment CooperativeBlocking"), Some(&146));
    let samples = recording.samples.ts_ns.len();
    let waiting = counts(&recording, "samples", &["waiting_on"]);
    assert!(waiting.get("task").is_some_and(|count| *count * 10 > samples * 7), "{waiting:?}");
    let quantiles = counts(&recording, "counters", &["kind"]);
    for kind in ["p50", "p95", "p99", "count", "sum", "rate", "total", "value"] {
        assert!(quantiles.contains_key(kind), "{quantiles:?} lacks {kind}");
    }
    assert!(recording.metric("requests.rate").is_some_and(|rate| rate > 1.0));
    assert_eq!(recording.metric("requests.p99"), None, "single requests were not recorded");
}
