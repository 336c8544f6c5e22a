//! `casebook manual`: our manual pages, for packages. They are printed, so that the program writes no file for it.

use crate::terminal;
use anyhow::Context;
use clap_mangen::Man;
use std::io::Write;
use std::process::ExitCode;

/// Print a manual page (roff)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The command; without one the page of the whole program
    command: Option<String>,
    /// Print the names of all pages instead
    #[arg(long, conflicts_with = "command")]
    list: bool,
}

/// Prints a page of `program`, which has all commands and options.
pub(crate) fn run(args: &Args, mut program: clap::Command) -> anyhow::Result<ExitCode> {
    // Fills in what commands take over from the program.
    program.build();
    let shown = program.get_subcommands().filter(|of| !of.is_hide_set() && of.get_name() != "help");
    let shown: Vec<clap::Command> = shown.cloned().collect();
    let mut page = Vec::new();
    if args.list {
        writeln!(page, "casebook")?;
        for command in shown {
            writeln!(page, "casebook-{}", command.get_name())?;
        }
    } else if let Some(name) = &args.command {
        let command = shown.into_iter().find(|command| command.get_name() == name);
        let command =
            command.with_context(|| format!("{name} is not a command: see `casebook --help`"))?.clone();
        Man::new(command.display_name(format!("casebook-{name}"))).render(&mut page)?;
    } else {
        Man::new(program).render(&mut page)?;
    }
    terminal::rows().write_all(&page)?;
    Ok(ExitCode::SUCCESS)
}
