//! `cargo xtask live`: records real services under load, and holds what casebook says against what is true.
//!
//! What is true comes from elsewhere: labels that were written from the services' code (`xtask/services`), and the counts
//! of the clients and of the back end. It needs the lab's runtime and compiler (`../shared/lab`), takes minutes, wants the
//! machine for itself, and is therefore not part of `cargo xtask ci`.

mod backend;
mod behaviours;
mod common;
mod judge;
mod limits;
mod load;
mod pairs;
mod rates;
mod services;
mod session;
mod surfaces;
mod table;

use crate::workspace::Workspace;
use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Each behaviour of two services: is the right cause found, and nothing else?
    Behaviours(behaviours::Args),
    /// Requests and outgoing calls per second by the client, against every surface that says such a rate
    Rates(rates::Args),
    /// Pairs of recordings of the same load, which must not differ, and one pair that must
    Pairs(pairs::Args),
    /// Healthy services under limits that they do not reach, which must stay without findings above `note`
    Limits(limits::Args),
}

/// Whether everything that was looked at is right.
pub(crate) fn run(args: &Args, workspace: &Workspace) -> Result<bool> {
    match &args.what {
        What::Behaviours(args) => behaviours::run(args, workspace),
        What::Rates(args) => rates::run(args, workspace),
        What::Limits(args) => limits::run(args, workspace),
        What::Pairs(args) => pairs::run(args, workspace),
    }
}
