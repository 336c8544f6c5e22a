//! What the tasks of `cargo xtask live` share: options, and what is needed to record and to judge.

use super::services::Ground;
use super::session::Casebook;
use crate::process;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use cargo_metadata::camino::Utf8PathBuf;

/// What all of them take.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
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
pub(super) struct Kept {
    pub(super) ground: Ground,
    pub(super) casebook: Casebook,
    /// Where the recordings are.
    pub(super) out: Utf8PathBuf,
}

impl Common {
    /// None, with the reason printed, where the lab is missing.
    pub(super) fn prepare(&self, workspace: &Workspace, task: &str) -> Result<Option<Kept>> {
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
    pub(super) fn wanted<T>(&self, mut all: Vec<T>, name: impl Fn(&T) -> &str) -> Result<Vec<T>> {
        let is_wanted = |one: &T| self.only.iter().any(|part| name(one).contains(part.as_str()));
        all.retain(|one| self.only.is_empty() || is_wanted(one));
        ensure!(!all.is_empty(), "nothing has such a name: {}", self.only.join(", "));
        Ok(all)
    }

    pub(super) fn records(&self) -> bool {
        !self.judge_only
    }

    pub(super) fn judges(&self) -> bool {
        !self.record_only
    }
}
