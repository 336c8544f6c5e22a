//! Where an answer goes: to a file that is not an input, in the format its name says, and never cut silently.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{fixture, said};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn casebook(folder: &Path, words: &[&str]) -> Output {
    program::casebook().current_dir(folder).args(words).output().unwrap()
}

/// A folder with `trace.nettrace.zst` in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("net8.nettrace.zst"), folder.path().join("trace.nettrace.zst")).unwrap();
    folder
}

#[test]
fn an_answer_does_not_destroy_the_recording_it_is_from() {
    let folder = folder();
    let trace = folder.path().join("trace.nettrace.zst");
    let before = fs::read(&trace).unwrap();
    fs::hard_link(&trace, folder.path().join("same.csv")).unwrap();
    for (file, out) in
        [("trace.nettrace.zst", "./trace.nettrace.zst"), (".", "trace.nettrace.zst"), (".", "same.csv")]
    {
        let output = casebook(folder.path(), &["query", file, "select 1", "-o", out]);
        assert_eq!(output.status.code(), Some(2), "{file} {out}");
        assert!(said(&output).contains("is a recording that is read here"), "{}", said(&output));
        assert_eq!(fs::read(&trace).unwrap(), before);
    }
}

#[test]
fn a_files_ending_says_its_format_and_a_limit_that_left_out_rows_is_reported() {
    let folder = folder();
    for (out, start) in [("a.csv", "ts_ns\r\n"), ("a.json", "{"), ("a.parquet", "PAR1"), ("a.txt", "ts_ns\n")]
    {
        let sql = "select ts_ns from samples order by ts_ns";
        let output =
            casebook(folder.path(), &["query", "trace.nettrace.zst", sql, "--limit", "3", "-o", out]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let written = fs::read(folder.path().join(out)).unwrap();
        assert!(written.starts_with(start.as_bytes()) || out == "a.txt", "{out}");
        let is_reported = said(&output).contains("more rows than the 3 of --limit");
        assert_eq!(is_reported, ["a.csv", "a.parquet"].contains(&out), "{out}: {}", said(&output));
    }
}

#[test]
fn an_endless_query_ends_at_its_timeout_and_says_what_to_do() {
    let folder = folder();
    let endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n";
    let output = casebook(folder.path(), &["query", "trace.nettrace.zst", endless, "--timeout", "300ms"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let message = said(&output);
    assert!(message.contains("longer than 300ms") && message.contains("--timeout"), "{message}");
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_leaves_nothing_behind() {
    let folder = folder();
    for command in [
        "query trace.nettrace.zst 'select * from events' -o a.csv",
        "export trace.nettrace.zst --to html -o a.html",
    ] {
        let limited = format!("ulimit -f 8; exec {} {command}", env!("CARGO_BIN_EXE_casebook"));
        let output = Command::new("sh").current_dir(folder.path()).args(["-c", &limited]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}: {}", said(&output));
        assert!(said(&output).contains("too large"), "{}", said(&output));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{command}");
    }
}
