//! What packages take from the program: manual pages and completions.

mod program;

use program::printed;
use std::process::{Command, Stdio};

#[test]
fn every_command_has_a_manual_page_with_its_options() {
    let pages = printed(&["manual", "--list"]);
    assert!(pages.lines().count() > 8 && pages.lines().all(|page| page.starts_with("casebook")), "{pages}");
    for page in pages.lines() {
        let command = page.strip_prefix("casebook-");
        let words: Vec<&str> = ["manual"].into_iter().chain(command).collect();
        let text = printed(&words);
        assert!(text.contains(&format!(".TH {page} 1")), "{page}: {text}");
        assert!(text.contains(".SH OPTIONS"), "{page}");
    }
    assert!(printed(&["manual", "record"]).contains("\\fB\\-\\-profile\\fR"));
}

#[test]
fn completions_are_scripts_that_their_shell_reads() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("casebook") && script.contains("explain"), "{shell}");
    }
    let script = printed(&["completions", "bash"]);
    // The script completes in a real bash: options after a command.
    let ask = "COMP_WORDS=(casebook record --prof); COMP_CWORD=2; _casebook casebook --prof record; echo \"${COMPREPLY[@]}\"";
    let bash = Command::new("bash")
        .args(["--norc", "-c", &format!("{script}\n{ask}")])
        .stdin(Stdio::null())
        .output();
    let answer = String::from_utf8(bash.unwrap().stdout).unwrap();
    assert_eq!(answer.trim(), "--profile", "{answer}");
}
