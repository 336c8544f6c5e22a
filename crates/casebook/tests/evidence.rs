//! Evidence stands on rows: each query of a finding runs as it is written, and gives some.

#![expect(clippy::unwrap_used, reason = "a test")]

use import::Options;
use report::Severity;
use sql::{Database, QueryOptions};
use std::path::PathBuf;

/// The findings of a fixture that are more than notes; the evidence of all of them is asked for its rows.
fn check(fixture: &str, expected: &[&str]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(fixture);
    let evidence = import::open(&path, Options { payloads: false, threads: 1 }).unwrap();
    let recording = evidence.into_trace().unwrap();
    let report = findings::explain(&recording);
    let database = Database::of(recording.clone()).unwrap();
    let options = QueryOptions { limit: None, interrupt_after: None };
    for finding in &report.findings {
        assert!(!finding.evidence.is_empty(), "{}: nothing shows it", finding.id);
        for evidence in &finding.evidence {
            let answer = database.query(&evidence.sql, options);
            let answer = answer.unwrap_or_else(|error| panic!("{}: {error}: {}", finding.id, evidence.sql));
            assert!(!answer.rows.is_empty(), "{}: no rows: {}", finding.id, evidence.sql);
            assert!(evidence.rows > 0, "{}: stands on no rows: {}", finding.id, evidence.sql);
            assert!(evidence.sql.contains(evidence.table), "{}: {}", evidence.table, evidence.sql);
            assert!(evidence.first_ts_ns <= evidence.last_ts_ns, "{}: {:?}", finding.id, evidence);
        }
    }
    let heavy = report.findings.iter().filter(|finding| finding.severity > Severity::Note);
    assert_eq!(heavy.map(|finding| finding.id).collect::<Vec<_>>(), expected, "{fixture}");
}

#[test]
fn what_is_said_of_a_starved_service_is_shown() {
    check("starvation.nettrace.zst", &["sync-over-async"]);
}

#[test]
fn what_is_said_of_older_runtimes_is_shown() {
    check("net8.nettrace.zst", &["busy-thread"]);
    check("net31.nettrace.zst", &["busy-thread"]);
}
