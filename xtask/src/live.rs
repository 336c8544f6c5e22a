//! `cargo xtask live`: records real services under load, and holds what casebook says against what is true.
//!
//! What is true comes from elsewhere: labels that were written from the services' code (`xtask/services`), and the counts
//! of the clients and of the back end. It needs the lab's runtime and compiler (`../shared/lab`), takes minutes, wants the
//! machine for itself, and therefore is no part of `cargo xtask ci`.

mod backend;
mod behaviours;
mod judge;
mod load;
mod services;
mod session;
mod table;

use crate::process;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use cargo_metadata::camino::Utf8PathBuf;
use clap::Subcommand;
use services::Ground;
use session::Casebook;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Each behaviour of two services: is the right cause found, and nothing else?
    Behaviours(behaviours::Args),
}

/// What all of them take.
#[derive(Debug, clap::Args)]
struct Common {
    /// Keeps the recordings in this folder
    #[arg(long, value_name = "DIR")]
    out: Option<Utf8PathBuf>,
    /// The program to judge; without it the release build, which is built first
    #[arg(long, value_name = "PATH")]
    casebook: Option<Utf8PathBuf>,
}

impl Common {
    fn casebook(&self, workspace: &Workspace) -> Result<Casebook> {
        if let Some(path) = &self.casebook {
            return Ok(Casebook(path.clone()));
        }
        process::run(&mut workspace.cargo("build --quiet --release --package casebook"))?;
        Ok(Casebook(workspace.release_binary()))
    }

    fn out(&self, ground: &Ground, task: &str) -> Result<Utf8PathBuf> {
        let out = self.out.clone().unwrap_or_else(|| ground.out(task));
        std::fs::create_dir_all(&out).with_context(|| format!("cannot make {out}"))?;
        Ok(out)
    }
}

/// Whether everything that was looked at is right.
pub(crate) fn run(args: &Args, workspace: &Workspace) -> Result<bool> {
    match &args.what {
        What::Behaviours(args) => behaviours::run(args, workspace),
    }
}
