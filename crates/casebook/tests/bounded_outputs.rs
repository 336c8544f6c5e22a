//! The outputs of `query` and `export` have a maximum size, and an interrupted one leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::{fixture, said};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Rows without end.
const ENDLESS: &str =
    "with recursive n(x) as (select 1 union all select x + 1 from n) select x, hex(zeroblob(5000)) from n";

/// A command about a fixture, whose path follows the first word.
fn casebook(words: &[&str]) -> Command {
    let mut command = program::casebook();
    let (first, rest) = words.split_first().unwrap();
    command.arg(first).arg(fixture("net8.nettrace.zst")).args(rest);
    command
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn a_small_recording_does_not_fill_the_disk_with_what_it_stands_for() {
    let folder = tempfile::tempdir().unwrap();
    let [csv, rows] = ["tables", "rows.csv"].map(|name| folder.path().join(name));
    let limit = ": it would be larger than 1 MB: ask for less, or raise the limit with --max-size";
    let max = ["--max-size", "1MB", "-o"];
    for (words, out) in [(&["export", "--to", "csv"][..], &csv), (&["query", ENDLESS], &rows)] {
        let output = casebook(words).args(max).arg(out).output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("casebook: cannot write ") && said.contains(limit), "{said}");
        assert_eq!(names(folder.path()), [""; 0]);
    }
    // So has the output that another program reads.
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

#[test]
fn options_between_the_file_and_the_statement_are_no_error() {
    for words in
        [&["query", "--timeout", "20s", "select 41 + 1"][..], &["query", "select 41 + 1", "--limit", "3"]]
    {
        let output = casebook(words).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("42"), "{words:?}: {text}{}", said(&output));
    }
    let output = casebook(&["query"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("FILE and SQL"), "{}", said(&output));
}

#[test]
fn one_call_of_a_function_does_not_outlast_the_time_of_its_query() {
    let paths = vec!["'$.a'"; 997].join(", ");
    let statement = format!("select json_extract('{{}}', {paths})");
    let output = casebook(&["query", &statement, "--timeout", "1s"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let expected = "too many arguments on function json_extract: a function takes at most 100, \
                    use several calls";
    assert!(said(&output).contains(expected), "{}", said(&output));
}

#[test]
fn an_answer_in_a_file_has_no_character_that_is_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("rows.json");
    let statement =
        "select 'Order' || char(8203) || 'x' || char(65039, 847, 8238, 10240, 65534, 119129, 94180)";
    let output = casebook(&["query", statement, "-o"]).arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let text = fs::read_to_string(&out).unwrap();
    assert!(text.is_ascii(), "{text:?}");
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = "Order\u{200b}x\u{fe0f}\u{34f}\u{202e}\u{2800}\u{fffe}\u{1d159}\u{16fe4}";
    assert_eq!(answer["rows"][0][0], expected);
}

#[test]
fn an_output_that_nobody_reads_is_not_waited_for_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for words in [&["export", "--to", "folded"][..], &["query", "select 1"]] {
        let said = folder.path().join("said");
        let mut command = casebook(words);
        let mut child =
            command.arg("-o").arg(&pipe).stderr(fs::File::create(&said).unwrap()).spawn().unwrap();
        let text = || fs::read_to_string(&said).unwrap();
        for _ in 0..200 {
            if text().contains("waits for") {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let is_said = text().contains("waits for a reader of ") && text().contains("/pipe");
        if !is_said {
            child.kill().unwrap();
        }
        assert!(is_said, "{words:?}: {}", text());
        let read = fs::read_to_string(&pipe).unwrap();
        assert!(child.wait().unwrap().success() && !read.is_empty(), "{words:?}");
    }
}
