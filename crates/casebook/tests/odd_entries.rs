//! Folders with what does not belong there: links, pipes, folders with the names of files.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const TRACE: &str = "trace.nettrace.zst";
const SQL: &str = "select count(*) as n from samples";

fn fixture() -> PathBuf {
    program::fixture("net8.nettrace.zst")
}

/// Runs the program, which must not wait for whatever it reads.
#[expect(clippy::disallowed_methods, reason = "a test of what must not wait")]
fn casebook(arguments: &[&str]) -> Output {
    let mut command = program::casebook();
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, begun) = (command.spawn().unwrap(), Instant::now());
    while child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let waits = child.try_wait().unwrap().is_none();
    drop(child.kill());
    let output = child.wait_with_output().unwrap();
    assert!(!waits, "{arguments:?} waits");
    output
}

fn counted(path: &Path, sql: &str) -> String {
    let output = casebook(&["query", path.to_str().unwrap(), sql, "--format", "csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
}

/// The files of which `explain` says something, with what it says.
fn noted(folder: &Path) -> Vec<String> {
    let output = casebook(&["explain", folder.to_str().unwrap(), "--format", "json"]);
    let page: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let damage = page["loss"]["damage"].as_array().unwrap();
    damage.iter().map(|of| of["what"].as_str().unwrap().to_owned()).collect()
}

fn check_notes(folder: &Path, expected: &[(&str, &str)]) {
    let notes = noted(folder);
    for (name, why) in expected {
        let of: Vec<_> = notes.iter().filter(|note| note.starts_with(&format!("{name} "))).collect();
        assert!(of.len() == 1 && of[0].contains(why), "{name} {why}: {notes:#?}");
    }
}

fn mkfifo(path: &Path) -> bool {
    Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success())
}

#[test]
fn a_link_in_somebody_elses_exhibit_does_not_bring_in_a_file_from_elsewhere() {
    let there = tempfile::tempdir().unwrap();
    let [folder, elsewhere] = ["exhibit", "elsewhere"].map(|name| there.path().join(name));
    fs::create_dir(&folder).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    fs::copy(fixture(), folder.join(TRACE)).unwrap();
    fs::copy(fixture(), elsewhere.join("secret.nettrace.zst")).unwrap();
    fs::write(elsewhere.join("host.csv"), "monotonic_ns,name,value,unit\n1,cores,2,cores\n").unwrap();
    fs::write(elsewhere.join("exhibit.toml"), "[subject]\nname = \"secret\"\n").unwrap();
    for (name, target) in [
        ("names.nettrace.zst", "../elsewhere/secret.nettrace.zst"),
        ("any-name", "../elsewhere/secret.nettrace.zst"),
        ("host.csv", "../elsewhere/host.csv"),
        ("exhibit.toml", "../elsewhere/exhibit.toml"),
    ] {
        symlink(target, folder.join(name)).unwrap();
    }
    assert_eq!(counted(&folder, SQL), "n\n5126\n");
    assert_eq!(counted(&folder, "select count(*) as n from host"), "n\n0\n");
    let link = "is a link: not read";
    let not_a_file = "not a regular file";
    check_notes(
        &folder,
        &[("names.nettrace.zst", link), ("any-name", link), ("host.csv", link), ("exhibit.toml", not_a_file)],
    );
    // The folder itself is what the user names.
    symlink("exhibit", there.path().join("latest")).unwrap();
    assert_eq!(counted(&there.path().join("latest"), SQL), "n\n5126\n");
    symlink("exhibit/trace.nettrace.zst", there.path().join("latest.nettrace.zst")).unwrap();
    assert_eq!(counted(&there.path().join("latest.nettrace.zst"), SQL), "n\n5126\n");
}

#[test]
fn one_odd_entry_is_left_out_and_named_and_does_not_hide_the_recording() {
    let there = tempfile::tempdir().unwrap();
    let folder = there.path();
    fs::copy(fixture(), folder.join(TRACE)).unwrap();
    fs::create_dir(folder.join("names.nettrace.zst")).unwrap();
    fs::create_dir(folder.join("thread_cpu.csv")).unwrap();
    symlink("nowhere", folder.join("dangling")).unwrap();
    symlink("loop", folder.join("loop")).unwrap();
    let inner = folder.join("inner");
    fs::create_dir(&inner).unwrap();
    symlink("exhibit.toml", inner.join("exhibit.toml")).unwrap();
    let has_pipes =
        ["samples.nettrace.zst", "pipe", "host.csv"].iter().all(|name| mkfifo(&folder.join(name)));
    assert_eq!(counted(folder, SQL), "n\n5126\n");
    let (link, not_a_file) = ("is a link: not read", "is not a file: not read");
    check_notes(
        folder,
        &[
            ("names.nettrace.zst", not_a_file),
            ("thread_cpu.csv", not_a_file),
            ("dangling", link),
            ("loop", link),
        ],
    );
    if !has_pipes {
        let test = "one_odd_entry_is_left_out_and_named_and_does_not_hide_the_recording";
        return base::ground::skip(test, "there is no mkfifo");
    }
    check_notes(
        folder,
        &[("samples.nettrace.zst", not_a_file), ("pipe", not_a_file), ("host.csv", not_a_file)],
    );
}

#[test]
fn one_odd_sub_folder_is_left_out_and_named_and_does_not_hide_the_other_exhibits() {
    let there = tempfile::tempdir().unwrap();
    let run = there.path();
    for name in ["one", "other", "odd", "looped"] {
        fs::create_dir(run.join(name)).unwrap();
    }
    for name in ["one", "other"] {
        fs::copy(fixture(), run.join(name).join(TRACE)).unwrap();
        fs::write(run.join(name).join("exhibit.toml"), "kind = \"nettrace\"\n").unwrap();
    }
    fs::write(run.join("odd/exhibit.toml"), "kind = \"hologram\"\n").unwrap();
    symlink("exhibit.toml", run.join("looped/exhibit.toml")).unwrap();
    symlink("one", run.join("linked")).unwrap();
    let sql = "select (select count(*) from one.samples) + (select count(*) from other.samples) as n";
    assert_eq!(counted(run, sql), "n\n10252\n");
    let output = casebook(&["query", run.to_str().unwrap(), sql]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("odd contains data of kind `hologram`") && said.contains("left out"), "{said}");
    // If one exhibit is left, it is read, and the rest are notes.
    fs::remove_dir_all(run.join("other")).unwrap();
    assert_eq!(counted(run, SQL), "n\n5126\n");
    check_notes(run, &[("odd", "is left out")]);
    // If no exhibit is left, the error says why the odd entry was left out.
    fs::remove_dir_all(run.join("one")).unwrap();
    let output = casebook(&["explain", run.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("kind `hologram`"), "{said}");
}

#[test]
fn a_recording_that_another_user_put_there_is_not_taken_for_the_one_of_the_folder() {
    let test = "a_recording_that_another_user_put_there_is_not_taken_for_the_one_of_the_folder";
    let there = tempfile::tempdir().unwrap();
    let run = there.path();
    for name in ["mine", ".hidden"] {
        fs::create_dir(run.join(name)).unwrap();
        fs::copy(fixture(), run.join(name).join(TRACE)).unwrap();
        fs::write(run.join(name).join("exhibit.toml"), "kind = \"nettrace\"\n").unwrap();
    }
    if std::os::unix::fs::chown(run.join(".hidden"), Some(65534), Some(65534)).is_err() {
        return base::ground::skip(test, "only root can give a folder to another user");
    }
    assert_eq!(counted(run, SQL), "n\n5126\n");
    check_notes(run, &[(".hidden", "is left out")]);
    // If it is the only one, the error names it. It is read if the user names it.
    fs::remove_dir_all(run.join("mine")).unwrap();
    let output = casebook(&["explain", run.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(".hidden belongs to another user (65534): name it to read it"), "{said}");
    assert_eq!(counted(&run.join(".hidden"), SQL), "n\n5126\n");
    // In a folder of theirs, their file is the recording.
    std::os::unix::fs::chown(run, Some(65534), Some(65534)).unwrap();
    assert_eq!(counted(run, SQL), "n\n5126\n");
}
