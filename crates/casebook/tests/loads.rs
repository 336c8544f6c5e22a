//! A load run through every command that reads evidence.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use program::{json, printed, refused};
use serde_json::{Value, json as value};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const SECONDS: u64 = 30;
const RATE: u64 = 200;

/// The latencies of a second, in nanoseconds from the schedule and from the send: every fifth second nothing is answered
/// until its end, and 50 connections hold one request each meanwhile.
fn latencies(second: u64) -> (Vec<u64>, Vec<u64>) {
    const QUICK: u64 = 200_000;
    if second % 5 != 2 {
        return (vec![QUICK; 200], vec![QUICK; 200]);
    }
    let waits: Vec<u64> = (0..RATE).map(|due| (RATE - due) * 5_000_000).collect();
    let held = waits.iter().take(50).copied().chain(std::iter::repeat_n(QUICK, 150));
    let held = held.collect();
    (waits, held)
}

/// The folder of a run against a service that stops answering for 1 s in every 5 s.
fn stalled() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_log(&folder.path().join("latency.hlog"));
    std::fs::write(folder.path().join("run.json"), account().to_string()).unwrap();
    std::fs::write(folder.path().join("exhibit.toml"), "kind = \"load\"\n[subject]\nname = \"orders\"\n")
        .unwrap();
    folder
}

fn write_log(path: &Path) {
    let (mut bytes, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut builder = IntervalLogWriterBuilder::new();
    let start = std::time::UNIX_EPOCH + Duration::from_millis(1_796_058_000_123);
    builder.add_comment("[Histogram log format version 1.3]").with_start_time(start);
    let mut writer = builder.begin_log_with(&mut bytes, &mut serializer).unwrap();
    for second in 0..SECONDS {
        let (schedule, send) = latencies(second);
        for (tag, values) in [("schedule", schedule), ("send", send)] {
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            for nanos in values {
                histogram.record(nanos).unwrap();
            }
            let at = Duration::from_secs(second);
            writer.write_histogram(&histogram, at, Duration::from_secs(1), Tag::new(tag)).unwrap();
        }
    }
    std::fs::write(path, bytes).unwrap();
}

fn account() -> Value {
    let rows: Vec<Value> = (0..SECONDS)
        .map(|second| value!([second * 1_000_000_000, 1_000_000_000, RATE, RATE, RATE, 0, 0, 80_000]))
        .collect();
    value!({
        "casebook_load": 1, "url": "http://127.0.0.1:8080/", "method": "GET", "start_utc": "2026-11-30T17:00:00.123456789Z",
        "schedule": {"kind": "constant", "rate": 200.0}, "connections": 50, "threads": 1, "timeout_ms": 10000.0,
        "planned": 6000, "sent": 6000, "responses": 6000, "errors": {}, "timeouts": 0, "unsent": 0,
        "rate": {"asked": 200.0, "sent": 200.0, "answered": 200.0},
        "latency_ms": {"from_schedule": {"p50": 0.2, "p90": 500.0, "p95": 750.0, "p99": 950.0, "p999": 995.0, "max": 1000.0},
            "from_send": {"p50": 0.2, "p90": 0.2, "p95": 750.0, "p99": 950.0, "p999": 995.0, "max": 1000.0}},
        "status": {"200": 6000}, "seconds": 30.0,
        "client": {"cpu_share": 0.12, "lateness_ms_p50": 0.01, "lateness_ms_p99": 0.08, "lateness_ms_max": 1.2, "stopped_ms": 0.0,
            "limited": false},
        "by_second": {"columns": ["ts_ns", "dur_ns", "asked", "sent", "answered", "errors", "timeouts", "lateness_max_ns"],
            "rows": rows},
        "warmup": null, "steady": {"verdict": "steady", "changes": []}, "ended": "complete", "notes": []
    })
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

#[test]
fn explain_says_that_the_service_stands_still_and_its_queries_run() {
    let run = stalled();
    let document = json(&["explain", path(&run), "--format", "json"]);
    assert_eq!(
        (&document["exhibit"]["kind"], &document["exhibit"]["duration_ns"]),
        (&"load".into(), &30_000_000_000_u64.into())
    );
    assert_eq!(document["loss"]["damage"], value!([]));
    let text = document["verdict"]["text"].as_str().unwrap();
    assert!(
        text.ends_with("because the service stops answering for about 1 s every 5 s; the rate was kept."),
        "{text}"
    );
    let finding = &document["findings"][0];
    assert_eq!((&finding["id"], &finding["severity"]), (&"load-stalls".into(), &"critical".into()));
    for evidence in finding["evidence"].as_array().unwrap() {
        let answer = json(&["query", path(&run), evidence["sql"].as_str().unwrap(), "--format", "json"]);
        assert!(!answer["rows"].as_array().unwrap().is_empty(), "{evidence}");
    }
    assert_eq!(document["not_checked"], value!([]));
    let page = printed(&["explain", path(&run), "--all"]);
    assert!(
        page.contains("GET http://127.0.0.1:8080/ · constant schedule, rate 200 · 50 connections"),
        "{page}"
    );
    assert!(printed(&["explain", path(&run), "--format", "markdown"]).starts_with("# "));
    let failed = program::run(&["explain", path(&run), "--fail-on", "critical"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(printed(&["explain", "--rule", "load-stalls"]).contains("load-stalls"));
}

#[test]
fn query_and_tables_have_every_table_and_the_metrics() {
    let run = stalled();
    let csv = |sql: &str| printed(&["query", path(&run), sql, "--format", "csv"]);
    assert_eq!(csv("select value, unit from metrics where name = 'p99'"), "value,unit\n950,ms\n");
    assert_eq!(csv("select sum(count) as n from histogram where basis = 'schedule'"), "n\n6000\n");
    let near = "select abs(ms - 950) < 5 as near from latency where basis = 'schedule' and quantile = 0.99";
    assert_eq!(csv(near), "near\n1\n");
    assert_eq!(csv("select count(*) as n, sum(answered) as answered from seconds"), "n,answered\n30,6000\n");
    let tables = json(&["tables", path(&run), "--format", "json"]);
    let names: Vec<&str> = tables.as_array().unwrap().iter().filter_map(|of| of["table"].as_str()).collect();
    assert_eq!(
        names,
        [
            "requests",
            "latency",
            "seconds",
            "histogram",
            "statuses",
            "failures",
            "changes",
            "by_request",
            "metrics"
        ]
    );
}

#[test]
fn either_file_alone_is_a_run_too() {
    let run = stalled();
    for file in ["latency.hlog", "run.json"] {
        let file = run.path().join(file);
        let document = json(&["explain", file.to_str().unwrap(), "--format", "json"]);
        assert_eq!(document["exhibit"]["kind"], "load", "{file:?}");
        assert!(!document["checked"].as_array().unwrap().is_empty(), "{file:?}");
    }
}

#[test]
fn export_writes_tables_and_a_page_with_the_pictures() {
    let run = stalled();
    let folder = tempfile::tempdir().unwrap();
    let to = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (format, ending) in [("csv", "csv"), ("parquet", "parquet")] {
        printed(&["export", path(&run), "--to", format, "-o", &to(format)]);
        for table in ["latency", "seconds", "histogram", "statuses", "metrics"] {
            assert!(
                folder.path().join(format).join(table).with_extension(ending).is_file(),
                "{format}: {table}"
            );
        }
    }
    printed(&["export", path(&run), "--to", "html", "-o", &to("page.html")]);
    let page = std::fs::read_to_string(to("page.html")).unwrap();
    for sign in ["class=\"plane heat\"", "class=\"plane curves\"", "Asked and answered", "stops answering"] {
        assert!(page.contains(sign), "{sign}");
    }
    assert!(page.len() < 1_500_000, "{}", page.len());
    let message = refused(&["export", path(&run), "--to", "speedscope", "-o", &to("x")]);
    assert!(message.contains("a load run has no samples for speedscope"), "{message}");
}

#[test]
fn what_is_for_traces_alone_is_refused_with_the_reason() {
    let run = stalled();
    for (arguments, expected) in [
        (["diff", path(&run), path(&run)].as_slice(), "is a load run: this needs a trace"),
        (&["open", path(&run), "--against", path(&run), "--no-browser"], "cannot be compared"),
        (&["explain", path(&run), "--topic", "gc"], "--topic is for traces"),
    ] {
        let message = refused(arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

#[test]
fn a_run_that_does_not_add_up_says_so() {
    let run = stalled();
    let mut account = account();
    account["responses"] = 5_990.into();
    std::fs::write(run.path().join("run.json"), account.to_string()).unwrap();
    let page = printed(&["explain", path(&run)]);
    assert!(page.contains("does not add up"), "{page}");
}
