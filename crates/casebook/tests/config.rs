//! The configuration, and progress for programs, through the program.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::said;
use serde_json::Value;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Output;

const LOCK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/lock.nettrace.zst");

/// Runs the program with a configuration of its own, and without what the environment says about colours.
fn run(home: &Path, text: Option<&str>, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = home.join("casebook");
    if let Some(text) = text {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), text).unwrap();
    }
    let mut command = program::casebook();
    for name in ["HOME", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.args(words).env("XDG_CONFIG_HOME", home).envs(variables.iter().copied()).output().unwrap()
}

fn document(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_command_shows_each_setting_and_where_it_comes_from() {
    let home = tempfile::tempdir().unwrap();
    let setting = |text, name: &str, variables: &[(&str, &str)]| {
        let all = document(&run(home.path(), text, &["config", "--format", "json"], variables));
        let settings = all["settings"].as_array().unwrap().clone();
        let found = settings.into_iter().find(|setting| setting["name"] == name).unwrap();
        (all["exists"].as_bool().unwrap(), found)
    };
    let (exists, colours) = setting(None, "colours", &[]);
    assert!(!exists && colours["value"].is_null() && colours["default"] == "auto", "{colours}");
    let (exists, colours) = setting(Some("my = []\n"), "colours", &[("NO_COLOR", "1")]);
    assert!(exists && colours["value"] == "never" && colours["variable"] == "NO_COLOR", "{colours}");
    let text = "colours = \"always\"\n[record]\nduration = 30\n";
    let (_, colours) = setting(Some(text), "colours", &[("NO_COLOR", "1")]);
    assert!(colours["value"] == "always" && colours["line"] == 1, "{colours}");
    let (_, duration) = setting(None, "record.duration", &[]);
    assert!(duration["value"] == 30 && duration["source"] == "file" && duration["line"] == 3, "{duration}");
    let (_, my) = setting(Some("my = [\"A.*\", \"B.*\"]\n"), "my", &[]);
    assert_eq!(my["value"], serde_json::json!(["A.*", "B.*"]));
    let shown = String::from_utf8(run(home.path(), None, &["config"], &[]).stdout).unwrap();
    assert!(shown.contains("config.toml") && shown.contains("record.duration"), "{shown}");
}

#[test]
fn a_home_that_may_not_be_entered_is_one_without_a_configuration() {
    const NOBODY: u32 = 65534;
    let test = "a_home_that_may_not_be_entered_is_one_without_a_configuration";
    // The folder is ours alone.
    let home = tempfile::tempdir().unwrap();
    let mut command = program::casebook();
    command.arg("config").env_remove("XDG_CONFIG_HOME").env("HOME", home.path()).uid(NOBODY).gid(NOBODY);
    match command.current_dir("/").output() {
        Ok(output) => assert!(output.status.success(), "{}", said(&output)),
        Err(_) => base::ground::skip(test, "only root acts for others, if they may start the program"),
    }
}

#[test]
fn a_broken_configuration_stops_every_command_but_not_what_a_shell_starts() {
    let home = tempfile::tempdir().unwrap();
    for words in [["config"].as_slice(), &["ps"], &["explain", LOCK], &["query", LOCK, "select 1"]] {
        let output = run(home.path(), Some("\ncolors = \"red\"\n"), words, &[]);
        let why = said(&output);
        assert!(output.status.code() == Some(2) && why.contains("config.toml:2: colours: expected"), "{why}");
    }
    for words in [["completions", "bash"].as_slice(), &["--help"], &["explain", "--help"]] {
        assert!(run(home.path(), None, words, &[]).status.success(), "{words:?}");
    }
}

#[test]
fn colours_are_as_configured_whatever_the_output_is() {
    let home = tempfile::tempdir().unwrap();
    let is_coloured = |text, variables: &[(&str, &str)]| {
        let output = run(home.path(), Some(text), &["explain", LOCK], variables);
        assert!(output.status.success(), "{}", said(&output));
        output.stdout.contains(&0x1b)
    };
    assert!(!is_coloured("colours = \"auto\"", &[]));
    assert!(is_coloured("colours = \"auto\"", &[("CLICOLOR_FORCE", "1")]));
    assert!(is_coloured("colours = \"always\"", &[("NO_COLOR", "1")]));
    assert!(!is_coloured("colours = \"never\"", &[("CLICOLOR_FORCE", "1")]));
    let output = run(home.path(), Some("colours = \"always\""), &["ps", "--format", "json"], &[]);
    assert!(!output.stdout.contains(&0x1b), "JSON has no colours");
}

#[test]
fn progress_for_programs_is_one_object_per_line_and_so_are_messages_and_the_final_error() {
    let home = tempfile::tempdir().unwrap();
    let lines = |words: &[&str]| {
        let output = run(home.path(), None, words, &[]);
        let text = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output.status.code().unwrap(), lines)
    };
    let (code, reading) = lines(&["--progress", "json", "explain", LOCK]);
    assert_eq!(code, 0);
    assert!(!reading.is_empty());
    for line in &reading {
        assert!(line["kind"] == "reading" && line["file"] == LOCK, "{line}");
        assert!(line["bytes"].as_u64().unwrap() <= line["total_bytes"].as_u64().unwrap(), "{line}");
    }
    let (code, failed) = lines(&["explain", "missing\u{9b}", "--progress", "json"]);
    assert!(code == 2 && failed.len() == 1 && failed[0]["kind"] == "error", "{failed:?}");
    let (_, said) = lines(&[
        "query",
        LOCK,
        "select ts_ns from samples",
        "--format",
        "csv",
        "--limit",
        "1",
        "--progress",
        "json",
    ]);
    assert_eq!(said.last().unwrap()["kind"], "message");
    assert!(said.last().unwrap()["text"].as_str().unwrap().contains("more rows"), "{said:?}");
    let quiet = run(home.path(), None, &["explain", LOCK, "--progress", "none"], &[]);
    assert!(quiet.status.success() && quiet.stderr.is_empty(), "{}", program::said(&quiet));
}
