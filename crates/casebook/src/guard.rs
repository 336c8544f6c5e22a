//! `guard`: the process that starts the program of `record -- COMMAND`, and resumes what would wait at its start. Nobody
//! calls it by hand.

use crate::interrupt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

/// Starts a program for `record`, and resumes .NET runtimes in it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Guards the program until nothing of it is left.
pub(crate) fn run(args: &Args) -> ExitCode {
    // A signal to all of us, as when a terminal closes, must not leave a runtime that waits. A handler, unlike a signal that
    // is ignored, does not reach the program; what our caller ignores, the program is to ignore, too.
    for signal in interrupt::not_ignored([SIGHUP, SIGINT, SIGQUIT, SIGTERM]) {
        drop(signal_hook::flag::register(signal, Arc::default()));
    }
    recorder::guard(&args.command);
    ExitCode::SUCCESS
}
