//! The generated page of the catalogue, `docs/tables.md`.
//!
//! The page is what `casebook tables --format markdown` prints, byte for byte; nobody edits it by hand.

use crate::process;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use cargo_metadata::camino::Utf8Path;
use std::fs;

const PAGE: &str = "docs/tables.md";

/// Writes the page. A development build prints the same catalogue as a release build and is there sooner.
pub(crate) fn rewrite(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo("run --quiet --locked --package casebook -- tables --format markdown");
    let markdown = process::output(&mut cargo)?;
    let path = workspace.root.join(PAGE);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {folder}"))?;
    }
    fs::write(&path, markdown).with_context(|| format!("cannot write {path}"))?;
    println!("{PAGE} is up to date");
    Ok(())
}

/// Compares the page with what a built program prints.
pub(crate) fn check(workspace: &Workspace, binary: &Utf8Path) -> Result<()> {
    let printed = process::output(workspace.command(binary).args(["tables", "--format", "markdown"]))?;
    let page = fs::read(workspace.root.join(PAGE))
        .with_context(|| format!("cannot read {PAGE}: run `cargo xtask docs`"))?;
    match first_difference(&page, &printed) {
        Some(line) => bail!("{PAGE}:{line}: differs from the program's catalogue: run `cargo xtask docs`"),
        None => Ok(()),
    }
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
