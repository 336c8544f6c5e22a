//! `cargo xtask live`: records real services under load, and holds what casebook says against what is true.
//!
//! What is true comes from elsewhere: labels that were written from the services' code (`xtask/services`), and the counts
//! of the clients and of the back end. It needs the lab's runtime and compiler (`../shared/lab`), takes minutes, wants the
//! machine for itself, and therefore is no part of `cargo xtask ci`.

mod backend;
mod behaviours;
mod judge;
mod limits;
mod load;
mod pairs;
mod rates;
mod services;
mod session;
mod surfaces;
mod table;

use crate::process;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
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
    /// Requests and outgoing calls per second by the client, against every surface that says such a rate
    Rates(rates::Args),
    /// Pairs of recordings of the same load, which must not differ, and one pair that must
    Pairs(pairs::Args),
    /// Healthy services under limits that they do not reach, which must stay without findings above `note`
    Limits(limits::Args),
}

/// What all of them take.
#[derive(Debug, clap::Args)]
struct Common {
    /// Only those whose name contains this; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Keeps the recordings in this folder
    #[arg(long, value_name = "DIR")]
    out: Option<Utf8PathBuf>,
    /// Record without judging
    #[arg(long)]
    record_only: bool,
    /// Judge what an earlier run left in the folder, without recording
    #[arg(long, conflicts_with = "record_only")]
    judge_only: bool,
    /// The program to judge; without it the release build, which is built first
    #[arg(long, value_name = "PATH")]
    casebook: Option<Utf8PathBuf>,
}

/// What is needed to record and to judge.
struct Kept {
    ground: Ground,
    casebook: Casebook,
    /// Where the recordings are.
    out: Utf8PathBuf,
}

impl Common {
    /// None, with the reason printed, where the lab is missing.
    fn prepare(&self, workspace: &Workspace, task: &str) -> Result<Option<Kept>> {
        let Some(ground) = Ground::find(workspace) else { return Ok(None) };
        let casebook = if let Some(path) = &self.casebook {
            Casebook(path.clone())
        } else {
            process::run(&mut workspace.cargo("build --quiet --release --package casebook"))?;
            Casebook(workspace.release_binary())
        };
        let out = self.out.clone().unwrap_or_else(|| ground.out(task));
        std::fs::create_dir_all(&out).with_context(|| format!("cannot make {out}"))?;
        Ok(Some(Kept { ground, casebook, out }))
    }

    /// Those that `--only` leaves; an error if it leaves none.
    fn wanted<T>(&self, mut all: Vec<T>, name: impl Fn(&T) -> &str) -> Result<Vec<T>> {
        let is_wanted = |one: &T| self.only.iter().any(|part| name(one).contains(part.as_str()));
        all.retain(|one| self.only.is_empty() || is_wanted(one));
        ensure!(!all.is_empty(), "nothing has such a name: {}", self.only.join(", "));
        Ok(all)
    }

    fn records(&self) -> bool {
        !self.judge_only
    }

    fn judges(&self) -> bool {
        !self.record_only
    }
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
