//! Folders: one exhibit, several in sub-folders, files of two kinds, and what was changed since it was recorded.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TRACE: &str = "trace.nettrace.zst";
const BENCH: &str = r#"{"Title":"Parse","HostEnvironmentInfo":{"BenchmarkDotNetVersion":"0.15.8"},"Benchmarks":[{"Type":"Parse",
    "Method":"Split","Statistics":{"N":1,"Mean":7.5,"Median":7.5},"Measurements":[{"IterationMode":"Workload",
    "IterationStage":"Result","LaunchIndex":1,"IterationIndex":1,"Operations":2,"Nanoseconds":15}]}]}"#;

fn casebook(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_casebook")).args(arguments).output().unwrap()
}

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/net8.nettrace.zst")
}

/// The answer to a query as CSV.
fn query(path: &Path, sql: &str) -> String {
    let output = casebook(&["query", path.to_str().unwrap(), sql, "--format", "csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
}

fn refused(arguments: &[&str]) -> String {
    let output = casebook(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A folder with an exhibit, and what its `exhibit.toml` says.
fn exhibit(parent: &Path, name: &str, file: &str, bytes: &[u8], toml: &str) -> PathBuf {
    let folder = parent.join(name);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(file), bytes).unwrap();
    fs::write(folder.join("exhibit.toml"), toml).unwrap();
    folder
}

#[test]
fn exhibits_in_sub_folders_give_their_tables_their_names() {
    let run = tempfile::tempdir().unwrap();
    let trace = fs::read(fixture()).unwrap();
    exhibit(run.path(), "trace", TRACE, &trace, "kind = \"nettrace\"\n");
    exhibit(run.path(), "main", "a-report-full.json", BENCH.as_bytes(), "kind = \"bench\"\n");
    exhibit(run.path(), "load-1", "a-report-full.json", BENCH.as_bytes(), "kind = \"bench\"\n");
    // What is no exhibit is passed over.
    fs::create_dir(run.path().join("notes")).unwrap();
    let sql = "select (select count(*) from trace.samples) as samples, load_1.benchmarks.mean from load_1.benchmarks join _main.benchmarks";
    assert_eq!(query(run.path(), sql), "samples,mean\n5126,7.5\n");
    let message = refused(&["explain", run.path().to_str().unwrap()]);
    assert!(message.contains("holds several exhibits") && message.contains("/load-1 or "), "{message}");
}

#[test]
fn one_exhibit_in_a_sub_folder_is_the_folder_s() {
    let run = tempfile::tempdir().unwrap();
    exhibit(run.path(), "bench", "a-report-full.json", BENCH.as_bytes(), "");
    let output = casebook(&["tables", run.path().to_str().unwrap(), "--format", "json"]);
    let tables: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&tables[0]["table"], &tables[0]["rows"]), (&"benchmarks".into(), &1.into()));
}

#[test]
fn files_of_two_kinds_in_a_folder_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture(), folder.path().join(TRACE)).unwrap();
    fs::write(folder.path().join("a-report-full.json"), BENCH).unwrap();
    let path = folder.path().to_str().unwrap();
    let message = refused(&["query", path, "select 1"]);
    assert!(message.contains("files of several kinds (benchmark file, trace)"), "{message}");
    // `exhibit.toml` says which kind counts.
    fs::write(folder.path().join("exhibit.toml"), "kind = \"bench\"\n").unwrap();
    assert_eq!(query(folder.path(), "select count(*) as n from benchmarks"), "n\n1\n");
    fs::write(folder.path().join("exhibit.toml"), "kind = \"hologram\"\n").unwrap();
    let message = refused(&["query", path, "select 1"]);
    assert!(message.contains("an exhibit of kind `hologram`, which this version cannot read"), "{message}");
}

/// The files of an exhibit of which `explain` says something, with what it says.
fn noted(folder: &Path) -> String {
    let output = casebook(&["explain", folder.to_str().unwrap(), "--format", "json"]);
    let page: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    page["loss"]["damage"].to_string()
}

#[test]
fn what_is_passed_over_in_a_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("a-report-full.json", BENCH.as_bytes());
    write("again-report-full.json", BENCH.as_bytes());
    write("broken-report-full.json", b"{");
    write("notes.txt", b"nothing of interest");
    write("results.db", b"SQLite format 3\0");
    fs::copy(fixture(), folder.path().join(TRACE)).unwrap();
    write("exhibit.toml", b"kind = \"bench\"\n");
    exhibit(folder.path(), "inner", "a-report-full.json", BENCH.as_bytes(), "kind = \"bench\"\n");
    let told = noted(folder.path());
    for part in [
        "again-report-full.json repeats",
        "broken-report-full.json",
        "trace.nettrace.zst is a trace",
        "inner is an exhibit",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("notes.txt") && !told.contains("/a-report-full.json"), "{told}");
    assert_eq!(query(folder.path(), "select count(*) as n from benchmarks"), "n\n1\n");
}

#[test]
fn an_exhibit_of_another_kind_than_it_says_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let folder =
        exhibit(parent.path(), "one", "a-report-full.json", BENCH.as_bytes(), "kind = \"nettrace\"\n");
    let message = refused(&["explain", folder.to_str().unwrap()]);
    assert!(message.contains("is of kind `nettrace`, but what is in it is: benchmark file"), "{message}");
}

#[test]
fn files_without_a_usual_name_are_told_by_their_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture(), folder.path().join("recorded-on-monday")).unwrap();
    fs::write(folder.path().join("notes.txt"), "nothing of interest").unwrap();
    assert_eq!(query(folder.path(), "select count(*) as n from samples"), "n\n5126\n");
}

#[test]
fn a_file_that_was_changed_since_it_was_recorded_is_told_by_its_hash() {
    let parent = tempfile::tempdir().unwrap();
    let bytes = fs::read(fixture()).unwrap();
    let hash = blake3::hash(&bytes).to_hex();
    let damage = |name: &str, hash: &str, state: &str| {
        let toml = format!(
            "kind = \"nettrace\"\nstate = \"{state}\"\n[[files]]\nname = \"{TRACE}\"\nbytes = {}\nblake3 = \"{hash}\"\n",
            bytes.len()
        );
        noted(&exhibit(parent.path(), name, TRACE, &bytes, &toml))
    };
    assert_eq!(damage("whole", hash.as_str(), "complete"), "[]");
    let other = blake3::hash(b"another file").to_hex();
    let told = damage("changed", other.as_str(), "complete");
    assert!(told.contains("was changed since it was recorded: its hash differs"), "{told}");
    // A recording that was not ended lists no files.
    let folder =
        exhibit(parent.path(), "unfinished", TRACE, &bytes, "kind = \"nettrace\"\nstate = \"recording\"\n");
    assert_eq!(query(&folder, "select count(*) as n from samples"), "n\n5126\n");
}
