//! The evidence of findings: each of their queries runs as it is written, and returns rows.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use import::Options;
use report::Severity;
use sql::{Database, QueryOptions};

/// Checks which findings of a fixture are above a note, and the evidence of all of its findings.
fn check(fixture: &str, expected: &[&str]) {
    let evidence = import::open(&program::fixture(fixture), Options { payloads: false, threads: 1 }).unwrap();
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
