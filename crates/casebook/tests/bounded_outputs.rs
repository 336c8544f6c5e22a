//! What `query` and `export` write has an end, and leaves nothing behind if it is ended before.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Rows without end.
const ENDLESS: &str =
    "with recursive n(x) as (select 1 union all select x + 1 from n) select x, hex(zeroblob(5000)) from n";

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/net8.nettrace.zst")
}

fn casebook(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_casebook"));
    let (first, rest) = words.split_first().unwrap();
    command.arg(first).arg(fixture()).args(rest);
    command
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_small_recording_does_not_fill_the_disk_with_what_it_stands_for() {
    let folder = tempfile::tempdir().unwrap();
    let [csv, rows] = ["tables", "rows.csv"].map(|name| folder.path().join(name));
    let limit = ": it would be larger than 1 MB: ask for less of it, or allow it more with --max-size";
    let max = ["--max-size", "1MB", "-o"];
    for (words, out) in [(&["export", "--to", "csv"][..], &csv), (&["query", ENDLESS], &rows)] {
        let output = casebook(words).args(max).arg(out).output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("casebook: cannot write ") && said.contains(limit), "{said}");
        assert_eq!(names(folder.path()), [""; 0]);
    }
    // What another program reads has an end, too.
    for format in ["csv", "json"] {
        let output = casebook(&["query", ENDLESS, "--format", format]).args(max).arg("-").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(limit), "{}", said(&output));
        assert!(output.stdout.len() <= 1_000_000, "{} bytes", output.stdout.len());
    }
    let output = casebook(&["export", "--to", "csv"]).arg("-o").arg(&csv).output().unwrap();
    assert!(output.status.success() && csv.join("samples.csv").is_file(), "{}", said(&output));
}

/// Waits until a program has a file open in a folder.
fn writes(child: &mut Child, folder: &Path) {
    let open = format!("/proc/{}/fd", child.id());
    for _ in 0..600 {
        let links = fs::read_dir(&open).into_iter().flatten().flatten();
        if links.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|at| at.starts_with(folder)) {
            return;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it writes nothing");
}

#[test]
fn an_output_that_a_signal_ends_leaves_nothing_behind() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().canonicalize().unwrap();
    for signal in ["INT", "TERM", "HUP", "KILL"] {
        let mut child = casebook(&["query", ENDLESS, "-o"]);
        let mut child = child.arg(path.join("rows.csv")).stderr(Stdio::null()).spawn().unwrap();
        writes(&mut child, &path);
        std::thread::sleep(Duration::from_millis(100));
        let id = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert!(!status.success(), "{signal}: {status}");
        assert_eq!(names(&path), [""; 0], "after {signal}");
    }
}
