//! `guard`: the process that starts the program of `record -- COMMAND`, and resumes each .NET runtime in it. Only `record`
//! calls it.

use crate::interrupt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::ffi::OsString;
use std::process::ExitCode;

/// Starts a program for `record`, and resumes .NET runtimes in it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Guards the program until all of its processes have ended.
pub(crate) fn run(args: &Args) -> ExitCode {
    // A signal to the whole process group, as when a terminal closes, must not leave a suspended runtime behind. The program
    // still gets such signals, unless our caller has it ignore them.
    interrupt::survive(interrupt::not_ignored([SIGHUP, SIGINT, SIGQUIT, SIGTERM]));
    recorder::guard(&args.command);
    ExitCode::SUCCESS
}
