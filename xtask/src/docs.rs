//! The generated pages: the catalogue of tables, `docs/tables.md`, and of findings, `docs/findings.md`.
//!
//! A page is what the program prints, byte for byte; nobody edits it by hand.

use crate::process;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use cargo_metadata::camino::Utf8Path;
use std::fs;

/// A page, and the program's arguments that print it.
const PAGES: [(&str, &[&str]); 2] =
    [("docs/tables.md", &["tables", "--format", "markdown"]), ("docs/findings.md", &["explain", "--rules"])];

/// Writes the pages. A development build prints the same as a release build and is there sooner.
pub(crate) fn rewrite(workspace: &Workspace) -> Result<()> {
    for (page, arguments) in PAGES {
        let mut cargo = workspace.cargo("run --quiet --locked --package casebook --");
        let markdown = process::output(cargo.args(arguments))?;
        let path = workspace.root.join(page);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {folder}"))?;
        }
        fs::write(&path, markdown).with_context(|| format!("cannot write {path}"))?;
        println!("{page} is up to date");
    }
    Ok(())
}

/// Compares the pages with what a built program prints.
pub(crate) fn check(workspace: &Workspace, binary: &Utf8Path) -> Result<()> {
    for (page, arguments) in PAGES {
        let printed = process::output(workspace.command(binary).args(arguments))?;
        let known = fs::read(workspace.root.join(page))
            .with_context(|| format!("cannot read {page}: run `cargo xtask docs`"))?;
        if let Some(line) = first_difference(&known, &printed) {
            bail!("{page}:{line}: differs from what the program prints: run `cargo xtask docs`");
        }
    }
    Ok(())
}

/// The first line, counted from 1, in which two texts differ.
fn first_difference(left: &[u8], right: &[u8]) -> Option<usize> {
    if left == right {
        return None;
    }
    let common = left.iter().zip(right).take_while(|(left, right)| left == right);
    Some(1 + common.filter(|(byte, _)| **byte == b'\n').count())
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_line_that_differs() {
        let check = |left: &str, right: &str, expected: Option<usize>| {
            assert_eq!(first_difference(left.as_bytes(), right.as_bytes()), expected, "{left:?} {right:?}");
        };
        check("a\nb\n", "a\nb\n", None);
        check("a\nb\n", "a\nc\n", Some(2));
        check("a\nb", "a\nb\n", Some(2));
        check("", "a", Some(1));
    }
}
