//! Folders: one exhibit, several in sub-folders, files of two kinds, and what was changed since it was recorded.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{BENCH, json, printed, refused};
use std::fs;
use std::path::{Path, PathBuf};

const TRACE: &str = "trace.nettrace.zst";

fn fixture() -> PathBuf {
    program::fixture("net8.nettrace.zst")
}

/// The answer to a query as CSV.
fn query(path: &Path, sql: &str) -> String {
    printed(&["query", path.to_str().unwrap(), sql, "--format", "csv"])
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
    // Other tools write no exhibit.toml. Anything else is skipped.
    for name in ["notes", "results"] {
        fs::create_dir(run.path().join(name)).unwrap();
        fs::write(run.path().join(name).join("notes.txt"), "nothing of interest").unwrap();
    }
    fs::write(run.path().join("results/a-report-full.json"), BENCH).unwrap();
    assert_eq!(query(run.path(), "select mean from results.benchmarks"), "mean\n7.5\n");
    let sql = "select (select count(*) from trace.samples) as samples, load_1.benchmarks.mean from load_1.benchmarks join _main.benchmarks";
    assert_eq!(query(run.path(), sql), "samples,mean\n5126,7.5\n");
    let message = refused(&["explain", run.path().to_str().unwrap()]);
    assert!(
        message.contains("has several sub-folders with recordings or results")
            && message.contains("/load-1 or "),
        "{message}"
    );
}

#[test]
fn one_exhibit_in_a_sub_folder_is_the_folder_s() {
    let run = tempfile::tempdir().unwrap();
    exhibit(run.path(), "bench", "a-report-full.json", BENCH.as_bytes(), "");
    let tables = json(&["tables", run.path().to_str().unwrap(), "--format", "json"]);
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
    assert!(
        message.contains("contains data of kind `hologram`, which this version cannot read"),
        "{message}"
    );
}

/// What `explain` says about the files of an exhibit.
fn noted(folder: &Path) -> String {
    json(&["explain", folder.to_str().unwrap(), "--format", "json"])["loss"]["damage"].to_string()
}

#[test]
fn what_is_skipped_in_a_folder_is_reported() {
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
    let noted = noted(folder.path());
    for part in [
        "again-report-full.json repeats",
        "broken-report-full.json",
        "trace.nettrace.zst is a trace",
        "inner contains a recording or results of its own",
    ] {
        assert!(noted.contains(part), "{part}: {noted}");
    }
    assert!(!noted.contains("notes.txt") && !noted.contains("/a-report-full.json"), "{noted}");
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
fn files_without_a_usual_name_are_recognized_by_their_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture(), folder.path().join("recorded-on-monday")).unwrap();
    fs::write(folder.path().join("notes.txt"), "nothing of interest").unwrap();
    assert_eq!(query(folder.path(), "select count(*) as n from samples"), "n\n5126\n");
}

#[test]
fn a_file_that_was_changed_since_it_was_recorded_is_recognized_by_its_hash() {
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
    let noted = damage("changed", other.as_str(), "complete");
    assert!(noted.contains("was changed since it was recorded: its hash differs"), "{noted}");
    // A recording that was not ended lists no files.
    let folder =
        exhibit(parent.path(), "unfinished", TRACE, &bytes, "kind = \"nettrace\"\nstate = \"recording\"\n");
    assert_eq!(query(&folder, "select count(*) as n from samples"), "n\n5126\n");
}
