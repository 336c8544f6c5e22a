//! What a file's text must have and must not have: module docs, a bounded length, no path of someone's machine.

use super::problem::Problem;

/// A longer file wants splitting.
const MAX_LINES: usize = 700;

/// Folders of the machines that files are written on. They are put together here, so that this file passes too.
const MACHINE_FOLDERS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/fa", "rm/")];

/// Every Rust file under `crates/` and `xtask/` starts by saying what it is for.
pub(super) fn module_doc(path: &str, text: &str) -> Option<Problem> {
    let ours = path.starts_with("crates/") || path.starts_with("xtask/");
    let missing = ours && !text.starts_with("//!");
    missing.then(|| Problem::new(path, 1, "does not start with a module doc, `//!`"))
}

/// No Rust file is too long to read.
pub(super) fn length(path: &str, text: &str) -> Option<Problem> {
    let lines = text.lines().count();
    let what = || format!("{lines} lines, and {MAX_LINES} are the most: split it");
    (lines > MAX_LINES).then(|| Problem::new(path, MAX_LINES + 1, what()))
}

/// No file names a folder that only its author's machine has.
pub(super) fn machine_paths(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for folder in MACHINE_FOLDERS.into_iter().filter(|folder| line.contains(folder)) {
            problems.push(Problem::new(path, number, format!("names a path of one machine, {folder}")));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(problems: impl IntoIterator<Item = Problem>) -> Vec<String> {
        problems.into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        assert_eq!(lines(module_doc("crates/base/src/lib.rs", "//! Bytes.\n")), [""; 0]);
        assert_eq!(
            lines(module_doc("crates/base/src/lib.rs", "// Bytes.\n")),
            ["crates/base/src/lib.rs:1: does not start with a module doc, `//!`"]
        );
        assert_eq!(lines(module_doc("xtask/src/main.rs", "")).len(), 1);
        assert_eq!(lines(module_doc("fuzz/fuzz_targets/decode.rs", "#![no_main]\n")), [""; 0]);
    }

    #[test]
    fn a_file_ends_in_time() {
        assert_eq!(lines(length("a.rs", &"x\n".repeat(700))), [""; 0]);
        assert_eq!(
            lines(length("a.rs", &"x\n".repeat(701))),
            ["a.rs:701: 701 lines, and 700 are the most: split it"]
        );
    }

    #[test]
    fn a_path_of_a_machine() {
        let [first, second, ..] = MACHINE_FOLDERS;
        let text = format!("fine\nsee {first}notes and {second}.config\n");
        assert_eq!(
            lines(machine_paths("a.md", &text)),
            [
                format!("a.md:2: names a path of one machine, {first}"),
                format!("a.md:2: names a path of one machine, {second}"),
            ]
        );
        assert_eq!(lines(machine_paths("a.md", "framework/\nat homes/x\n")), [""; 0]);
    }
}
