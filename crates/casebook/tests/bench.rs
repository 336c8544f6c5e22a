//! Benchmark results through every command that reads evidence.

#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
    path.to_str().unwrap().to_owned()
}

fn casebook(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_casebook")).args(arguments).output().unwrap()
}

fn done(arguments: &[&str]) -> String {
    let output = casebook(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn explain_has_figures_and_no_verdict() {
    let file = fixture("parse-report-full.json.zst");
    let document: Value = serde_json::from_str(&done(&["explain", &file, "--format", "json"])).unwrap();
    assert_eq!(
        (&document["exhibit"]["kind"], &document["findings"]),
        (&"bench".into(), &Value::Array(Vec::new()))
    );
    assert!(document.get("verdict").is_none());
    let rows = document["figures"]["benchmarks"]["lists"][0]["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["name"]), (4, &"ParseBenchmarks.Split(Fields=10)".into()));
    let page = done(&["explain", &file]);
    assert!(page.contains("4 benchmarks · 658 measurements") && page.contains("565 ns"), "{page}");
}

#[test]
fn fail_on_is_refused_where_nothing_is_judged() {
    let refused = casebook(&["explain", &fixture("parse-report-full.json.zst"), "--fail-on", "note"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there are no rules"));
}

#[test]
fn query_has_every_measurement_and_the_metrics() {
    let file = fixture("parse-report-full.json.zst");
    let csv = |sql: &str| done(&["query", &file, sql, "--format", "csv"]).replace("\r\n", "\n");
    let results = "select count(*) as n from measurements where mode = 'Workload' and stage = 'Result'";
    assert_eq!(csv(results), "n\n119\n");
    let median = "select unit, n, value > 567 and value < 568 as near from metrics \
                  where name = 'ParseBenchmarks.Split(Fields=10).median'";
    assert_eq!(csv(median), "unit,n,near\nns,30,1\n");
}

#[test]
fn export_writes_tables_and_a_page_and_says_what_it_cannot() {
    let file = fixture("parse-report-full.json.zst");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (to, ending) in [("csv", "csv"), ("parquet", "parquet")] {
        done(&["export", &file, "--to", to, "-o", &path(to)]);
        for table in ["benchmarks", "measurements", "metrics"] {
            assert!(folder.path().join(to).join(table).with_extension(ending).is_file(), "{to}: {table}");
        }
    }
    done(&["export", &file, "--to", "html", "-o", &path("page.html")]);
    let page = std::fs::read_to_string(path("page.html")).unwrap();
    assert_eq!(page.matches("class=\"distribution\"").count(), 4);
    let refused = casebook(&["export", &file, "--to", "speedscope", "-o", &path("x")]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2));
    assert!(message.contains("a benchmark file has no samples for speedscope"), "{message}");
}

#[test]
fn two_exhibits_are_compared_only_if_both_are_traces() {
    let (bench, trace) = (fixture("parse-report-full.json.zst"), fixture("net8.nettrace.zst"));
    for (arguments, expected) in [
        (["diff", &bench, &bench].as_slice(), "is a benchmark file: this needs a trace"),
        (&["diff", &trace, &bench], "is a benchmark file: this needs a trace"),
        (&["open", &bench, "--against", &bench, "--no-browser"], "cannot be compared"),
        (&["open", &bench, "--against", &trace, "--no-browser"], "is a benchmark file, and"),
        (&["explain", &bench, "--topic", "gc"], "--topic is for traces"),
    ] {
        let output = casebook(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}
