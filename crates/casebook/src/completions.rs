//! `casebook completions`: scripts that let a shell complete our commands, printed or installed.
//!
//! The scripts for bash, zsh and fish ask the program itself what fits ([`complete`]), so that they know which processes run
//! now, and stay the same when the program is updated. The others are complete in themselves, from clap_complete.

pub(crate) mod candidates;
pub(crate) mod complete;
mod install;
mod processes;
mod scripts;

use crate::terminal;
use anyhow::Context;
use clap_complete::Shell;
use std::io::Write;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  casebook completions --install         # for the shell of $SHELL
  casebook completions --install zsh
  source <(casebook completions bash)    # in this shell alone

In bash, zsh and fish, Tab then also completes the processes that run now (-p, --name), profiles, topics, formats and \
recordings.";

/// Let Tab complete commands, options and processes in your shell
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The shell; with --install, that of $SHELL if it is left out
    #[arg(required_unless_present = "install")]
    shell: Option<Shell>,
    /// Write the script to where the shell looks for it, in your home folder (bash, zsh, fish)
    #[arg(long)]
    install: bool,
}

/// Prints or installs the script for `program`, which has all commands and options.
pub(crate) fn run(args: &Args, program: clap::Command) -> anyhow::Result<ExitCode> {
    if args.install {
        for line in install::install(args.shell)? {
            terminal::say(&line);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let shell = args.shell.context("name a shell: `casebook completions bash`")?;
    terminal::rows().write_all(&script(shell, program))?;
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell, mut program: clap::Command) -> Vec<u8> {
    if let Some(script) = scripts::asking(shell) {
        return script.as_bytes().to_vec();
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, "casebook", &mut script);
    script
}
