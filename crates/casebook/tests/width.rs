//! Texts for people are no wider than the terminal, and commands in them can be copied.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod program;
#[path = "hostile/terminal.rs"]
mod terminal;

use program::{casebook, fixture, said};
use std::process::Command;

const WIDTHS: [usize; 3] = [60, 80, 120];
const FIXTURES: [&str; 7] = [
    "healthy.nettrace.zst",
    "leak.nettrace.zst",
    "lock.nettrace.zst",
    "net31.nettrace.zst",
    "net8.nettrace.zst",
    "parse-report-full.json.zst",
    "starvation.nettrace.zst",
];
const TOPICS: &str = "gc,jit,threadpool,memory,async,requests,cpu";
const COMMANDS: [&str; 11] =
    ["ps", "record", "counters", "stacks", "explain", "open", "diff", "query", "export", "tables", "demo"];

/// The program in the folder of the recordings, so that their names are short.
fn in_fixtures(words: &[&str]) -> Command {
    let mut command = casebook();
    command.current_dir(fixture("")).args(words);
    command
}

fn at_width(words: &[&str], columns: &str) -> String {
    let output = in_fixtures(words).env("COLUMNS", columns).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

/// The text at each width, none of whose lines may be longer.
fn check(words: &[&str]) {
    for width in WIDTHS {
        let text = at_width(words, &width.to_string());
        let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > width).collect();
        assert!(!text.is_empty() && long.is_empty(), "{words:?} at {width}: {long:#?}");
    }
}

#[test]
fn no_line_of_an_explanation_is_longer_than_the_terminal() {
    for name in FIXTURES {
        check(&["explain", name]);
    }
}

#[test]
fn no_line_of_all_figures_is_longer_than_the_terminal() {
    for name in FIXTURES {
        check(&["explain", name, "--all"]);
    }
}

#[test]
fn no_line_of_the_topics_is_longer_than_the_terminal() {
    for name in FIXTURES.iter().filter(|name| name.contains(".nettrace")) {
        check(&["explain", name, "--topic", TOPICS]);
    }
}

#[test]
fn no_line_of_a_comparison_or_a_catalogue_is_longer_than_the_terminal() {
    check(&["diff", "healthy.nettrace.zst", "lock.nettrace.zst"]);
    check(&["diff", "healthy.nettrace.zst", "lock.nettrace.zst", "--all"]);
    check(&["diff", "net8.nettrace.zst", "net31.nettrace.zst", "--all", "--per", "request"]);
    check(&["tables"]);
    check(&["tables", "leak.nettrace.zst"]);
    check(&["ps"]);
}

#[test]
fn no_line_of_the_help_is_longer_than_the_terminal() {
    check(&["--help"]);
    check(&["-h"]);
    for command in COMMANDS {
        check(&[command, "--help"]);
        check(&[command, "-h"]);
    }
}

#[test]
fn help_of_a_command_has_two_names() {
    assert_eq!(at_width(&["help"], "80"), at_width(&["--help"], "80"));
    for command in COMMANDS {
        assert_eq!(at_width(&["help", command], "80"), at_width(&[command, "--help"], "80"), "{command}");
    }
}

#[test]
fn a_width_that_nobody_can_have_meant_is_ignored_and_others_are_limited() {
    let words = ["explain", "lock.nettrace.zst", "--topic", "gc"];
    let usual = at_width(&words, "100");
    assert_eq!(widest(&usual), 100);
    for columns in ["", "0", "-1", "wide", "99999999999999999999", "1000000"] {
        assert!(at_width(&words, columns) == usual, "COLUMNS={columns}");
    }
    assert!(widest(&at_width(&words, "1")) <= 40);
    assert!(widest(&at_width(&words, "9999")) <= 160);
}

#[test]
fn scripts_get_the_same_at_any_width() {
    for words in [
        &["explain", "lock.nettrace.zst", "--format", "json"] as &[&str],
        &["diff", "healthy.nettrace.zst", "lock.nettrace.zst", "--format", "json"],
        &["tables", "--format", "markdown"],
        &["explain", "--rules"],
    ] {
        assert!(at_width(words, "60") == at_width(words, "120"), "{words:?}");
    }
}

#[test]
fn a_terminal_is_followed_whatever_the_environment_says() {
    for columns in [60, 80, 120] {
        for words in [&["explain", "lock.nettrace.zst", "--figures"] as &[&str], &["help", "record"]] {
            let mut command = in_fixtures(words);
            command.env("COLUMNS", "150").env("TERM", "xterm").env("NO_COLOR", "1");
            let shown = String::from_utf8(terminal::of_columns(command, columns)).unwrap();
            // The progress of reading is removed by what follows it.
            let shown = shown.rsplit("\r\u{1b}[K").next().unwrap().replace('\r', "");
            let shown = anstream::adapter::strip_str(&shown).to_string();
            let (columns, widest) = (usize::from(columns), widest(&shown));
            assert!(widest <= columns && widest > columns - 10, "{words:?} at {columns}: {shown}");
        }
    }
}
