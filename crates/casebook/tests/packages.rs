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
    // Others are not dynamic: they have all commands in them.
    for (shell, part) in
        [("zsh", "#compdef casebook\n"), ("fish", "complete --command casebook"), ("elvish", "explain")]
    {
        let script = printed(&["completions", shell]);
        assert!(script.contains(part), "{shell}: {script}");
    }
    // As bash-completion loads it: the file that a package has, sourced in a function.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("casebook");
    std::fs::write(&file, printed(&["completions", "bash"])).unwrap();
    let ask = "load() { source \"$1\"; }; load \"$1\"; complete -p casebook
        COMP_WORDS=(casebook record --prof); COMP_CWORD=2; _casebook casebook --prof record; echo \"${COMPREPLY[@]}\"";
    let ours = std::path::Path::new(env!("CARGO_BIN_EXE_casebook")).parent().unwrap();
    let bash = Command::new("bash")
        .args(["--norc", "-c", ask, "bash"])
        .arg(&file)
        .env("PATH", format!("{}:{}", ours.display(), std::env::var("PATH").unwrap()))
        .stdin(Stdio::null())
        .output();
    let answer = String::from_utf8(bash.unwrap().stdout).unwrap();
    let lines: Vec<&str> = answer.lines().collect();
    assert!(lines[0].contains("-F _casebook casebook") && lines[1..] == ["--profile"], "{answer}");
}
