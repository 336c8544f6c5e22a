//! The repository's own tasks: `cargo xtask ci`, `cargo xtask tidy`, `cargo xtask docs`, `cargo xtask screenshot`,
//! `cargo xtask bench`, `cargo xtask live`, `cargo xtask dist`.
//!
//! They build, check and generate; nothing of the product lives here, and nothing depends on this crate. A new task is
//! a variant of [`Task`] and a module. Exit 0 when everything holds, 1 when a check failed, 2 when it could not run.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task's output is what it prints")]

mod bench;
mod binary;
mod ci;
mod dist;
mod docs;
mod live;
mod process;
mod readback;
mod tally;
mod tidy;
mod viewers;
mod web;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

/// Tasks of the repository
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Everything that must hold: format, lints, tests, tidy, the release binary, its pages in a browser, its
    /// docs, exports, captures and Parquet
    ///
    /// Stops at the first step that fails. The last line is `N passed, M failed, K skipped`.
    Ci(ci::Args),
    /// The checks of the tree itself: arrows between crates, files without a `mod`, module docs, lengths, reasons, paths,
    /// links
    ///
    /// Prints one line a problem, `path:line: what`.
    Tidy,
    /// Rewrite docs/tables.md and docs/findings.md from what the program prints
    Docs,
    /// Make the README's picture anew: docs/page.png
    Screenshot,
    /// Measurements beside their anchors; runs for minutes
    Bench(bench::Args),
    /// Real services under load: what is said of them against what is true; runs for minutes
    Live(live::Args),
    /// Pack a release into target/dist: the static program, a Debian package, checksums
    Dist(dist::Args),
}

fn main() -> ExitCode {
    let task = Cli::parse().task;
    match Workspace::load().and_then(|workspace| run(&task, &workspace)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything that the task looked at holds.
fn run(task: &Task, workspace: &Workspace) -> anyhow::Result<bool> {
    match task {
        Task::Ci(args) => Ok(ci::run(workspace, args)),
        Task::Tidy => tidy::run(workspace),
        Task::Docs => docs::rewrite(workspace).map(|()| true),
        Task::Screenshot => web::screenshot(workspace).map(|()| true),
        Task::Bench(args) => bench::run(args, workspace),
        Task::Live(args) => live::run(args, workspace),
        Task::Dist(args) => dist::make(args, workspace).map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn flags_are_consistent() {
        Cli::command().debug_assert();
    }
}
