//! Where the workspace and its build folder are, and who its members are.
//!
//! All of it comes from `cargo metadata`, so a build folder that was moved by the environment is found too.

use anyhow::{Context, Result};
use cargo_metadata::camino::Utf8PathBuf;
use cargo_metadata::{Metadata, MetadataCommand};
use std::process::Command;

/// The workspace as Cargo describes it.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: Utf8PathBuf,
    /// The build folder.
    pub(crate) target: Utf8PathBuf,
    /// Members and their declared dependencies.
    pub(crate) metadata: Metadata,
}

impl Workspace {
    /// Asks Cargo.
    pub(crate) fn load() -> Result<Self> {
        let metadata = MetadataCommand::new().no_deps().exec().context("cannot read the workspace")?;
        Ok(Self {
            root: metadata.workspace_root.clone(),
            target: metadata.target_directory.clone(),
            metadata,
        })
    }

    /// A program that will run in the workspace's root.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The Cargo that runs this task, with words of its command line.
    pub(crate) fn cargo(&self, words: &str) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = self.command(cargo);
        command.args(words.split_whitespace());
        command
    }

    /// Where a release build puts the program.
    pub(crate) fn release_binary(&self) -> Utf8PathBuf {
        self.target.join("release").join(format!("casebook{}", std::env::consts::EXE_SUFFIX))
    }
}
