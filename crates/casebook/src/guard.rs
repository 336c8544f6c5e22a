//! `guard`: the process that resumes what a killed `record -- COMMAND` left suspended. Nobody calls it by hand.

use std::process::ExitCode;

/// Resumes what a killed `record` left suspended
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Waits for `record` to end.
pub(crate) fn run() -> ExitCode {
    recorder::guard(std::io::stdin());
    ExitCode::SUCCESS
}
