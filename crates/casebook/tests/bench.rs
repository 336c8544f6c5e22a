//! Benchmark results through every command that reads evidence.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{json, printed, refused};
use serde_json::Value;

fn fixture(name: &str) -> String {
    program::fixture(name).to_str().unwrap().to_owned()
}

#[test]
fn explain_has_figures_and_no_verdict() {
    let file = fixture("parse-report-full.json.zst");
    let document = json(&["explain", &file, "--format", "json"]);
    assert_eq!(
        (&document["exhibit"]["kind"], &document["findings"]),
        (&"bench".into(), &Value::Array(Vec::new()))
    );
    assert!(document.get("verdict").is_none());
    let rows = document["figures"]["benchmarks"]["lists"][0]["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["name"]), (4, &"ParseBenchmarks.Split(Fields=10)".into()));
    let page = printed(&["explain", &file]);
    assert!(page.contains("4 benchmarks · 658 measurements") && page.contains("565 ns"), "{page}");
}

#[test]
fn fail_on_is_refused_where_nothing_is_judged() {
    let message = refused(&["explain", &fixture("parse-report-full.json.zst"), "--fail-on", "note"]);
    assert!(message.contains("there are no rules"), "{message}");
}

#[test]
fn query_has_every_measurement_and_the_metrics() {
    let file = fixture("parse-report-full.json.zst");
    let csv = |sql: &str| printed(&["query", &file, sql, "--format", "csv"]);
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
        printed(&["export", &file, "--to", to, "-o", &path(to)]);
        for table in ["benchmarks", "measurements", "metrics"] {
            assert!(folder.path().join(to).join(table).with_extension(ending).is_file(), "{to}: {table}");
        }
    }
    printed(&["export", &file, "--to", "html", "-o", &path("page.html")]);
    let page = std::fs::read_to_string(path("page.html")).unwrap();
    assert_eq!(page.matches("class=\"distribution\"").count(), 4);
    let message = refused(&["export", &file, "--to", "speedscope", "-o", &path("x")]);
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
        let message = refused(arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}
