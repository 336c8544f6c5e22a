//! Which code is the user's own: `--my` and the configuration, through the program.

#![expect(clippy::unwrap_used, reason = "a test")]

mod program;

use program::said;
use serde_json::Value;
use std::path::Path;
use std::process::Output;

const LOCK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/lock.nettrace.zst");

/// Runs the program with a configuration in a folder of its own.
fn run(home: &Path, words: &[&str]) -> Output {
    program::casebook().args(words).env("XDG_CONFIG_HOME", home).env_remove("HOME").output().unwrap()
}

/// The methods that the figures name as the service's own.
fn user_code(home: &Path, options: &[&str]) -> Vec<String> {
    let words = [["explain", LOCK, "--topic", "cpu", "--format", "json"].as_slice(), options].concat();
    let output = run(home, &words);
    assert!(output.status.success(), "{}", said(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = document["topics"][0].to_string();
    let names = text.split('"').filter(|text| text.starts_with("orders!"));
    names.map(str::to_owned).collect()
}

#[test]
fn what_the_user_says_is_theirs_reaches_the_figures_and_nothing_else_counts() {
    let home = tempfile::tempdir().unwrap();
    let usual = run(home.path(), &["explain", LOCK, "--figures"]);
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let theirs = run(home.path(), &["explain", LOCK, "--figures", "--my", "Microsoft.AspNetCore.*"]);
    assert!(usual.status.success() && theirs.status.success());
    let own = |page: &str| {
        page.lines()
            .skip_while(|line| !line.contains("innermost method of yours"))
            .take(6)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_ne!(own(&text(&usual)), own(&text(&theirs)));
    assert!(own(&text(&theirs)).contains("AspNetCore"), "{}", text(&theirs));
    // The configuration does the same, and the option has precedence.
    let folder = home.path().join("casebook");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "my = [\"Microsoft.AspNetCore.*\"]\n").unwrap();
    let configured = run(home.path(), &["explain", LOCK, "--figures"]);
    assert_eq!(text(&configured), text(&theirs));
    assert!(user_code(home.path(), &["--my", "Microsoft.AspNetCore.*"]).is_empty());
}

/// The state of the verdict, its ids of findings, and its notes.
fn verdict(home: &Path, options: &[&str]) -> (String, Vec<String>, Vec<String>) {
    let words = [["explain", LOCK, "--format", "json"].as_slice(), options].concat();
    let output = run(home, &words);
    assert!(output.status.success(), "{}", said(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let texts = |list: &Value, key: Option<&str>| {
        let values = list.as_array().unwrap().iter();
        values.map(|of| key.map_or(of, |key| &of[key]).as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let state = document["verdict"]["state"].as_str().unwrap().to_owned();
    (state, texts(&document["findings"], Some("id")), texts(&document["verdict"]["notes"], None))
}

#[test]
fn a_pattern_that_no_method_has_does_not_turn_a_problem_into_an_all_clear() {
    let home = tempfile::tempdir().unwrap();
    let usual = verdict(home.path(), &[]);
    assert_eq!((usual.0.as_str(), usual.2.len()), ("problem", 0));
    for pattern in ["Nope.*", "?"] {
        let (state, found, notes) = verdict(home.path(), &["--my", pattern]);
        assert_eq!((&state, &found), (&usual.0, &usual.1), "{pattern}");
        assert!(notes[0].contains(&format!("--my '{pattern}' matches no method")), "{notes:?}");
    }
    // The same in the configuration, where the note comes only if none of its patterns matches.
    let folder = home.path().join("casebook");
    std::fs::create_dir(&folder).unwrap();
    let configure = |text: &str| std::fs::write(folder.join("config.toml"), text).unwrap();
    configure("my = [\"Nope.*\"]\n");
    let (state, found, notes) = verdict(home.path(), &[]);
    assert_eq!((&state, &found), (&usual.0, &usual.1));
    assert!(notes[0].contains("my in config.toml: 'Nope.*' matches no method"), "{notes:?}");
    let out = home.path().join("page.html");
    let commands: [&[&str]; 3] = [
        &["explain", LOCK],
        &["diff", LOCK, LOCK],
        &["export", LOCK, "--to", "html", "-o", out.to_str().unwrap()],
    ];
    for words in commands {
        let output = run(home.path(), words);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("'Nope.*' matches no method of this recording"), "{words:?}: {text}");
    }
    let page = std::fs::read_to_string(&out).unwrap();
    assert!(page.contains("matches no method of this recording"));
    configure("my = [\"Nope.*\", \"Orders.*\"]\n");
    assert_eq!(verdict(home.path(), &[]).2, [""; 0]);
}

/// The messages of all commands that take patterns.
fn refusals(home: &Path, options: &[&str]) -> Vec<String> {
    let out = home.join("page.html");
    let commands: [&[&str]; 4] = [
        &["explain", LOCK],
        &["diff", LOCK, LOCK],
        &["open", LOCK, "--no-browser"],
        &["export", LOCK, "--to", "html", "-o", out.to_str().unwrap()],
    ];
    let refused = commands.map(|words| {
        let output = run(home, &[words, options].concat());
        let error = said(&output);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {error}");
        error
    });
    assert!(!out.exists());
    refused.into()
}

#[test]
fn a_pattern_of_another_kind_is_refused_by_every_command_that_takes_one() {
    let home = tempfile::tempdir().unwrap();
    for error in refusals(home.path(), &["--my", "["]) {
        assert!(error.contains("--my: '[' is not a pattern"), "{error}");
    }
}

#[test]
fn every_command_that_uses_a_broken_configuration_names_its_file_and_line() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("casebook");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "# mine\nmy = [\n").unwrap();
    for error in refusals(home.path(), &[]) {
        let at_line = |line: u8| error.contains(&format!("casebook/config.toml:{line}:"));
        assert!(at_line(2) || at_line(3), "{error}");
    }
}
