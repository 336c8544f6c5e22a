//! `casebook completions`: what a shell reads to complete our commands.

use crate::terminal;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;
use std::process::ExitCode;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Args::command(), "casebook", &mut script);
    terminal::rows().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
