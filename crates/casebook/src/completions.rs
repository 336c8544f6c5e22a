//! `casebook completions`: the script with which a shell completes our commands.

use crate::terminal;
use clap_complete::Shell;
use std::io::Write;
use std::process::ExitCode;

/// Print the completion script for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script for `program`, which has all commands and options.
pub(crate) fn run(args: &Args, mut program: clap::Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "casebook", &mut script);
    terminal::rows().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
