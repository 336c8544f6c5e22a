//! Reading exported Parquet files back with DuckDB, which shares no code with the program that writes them.
//!
//! The comparison itself is `parquet_readback.py`; this finds or makes a Python that can import `duckdb`. What it
//! installs stays in the build folder.

use crate::process;
use crate::tally::{Tally, script_result};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use std::process::Command;

const SCRIPT: &str = "xtask/parquet_readback.py";

/// Exports tables of a fixture, reads them back and compares every value.
pub(crate) fn run(workspace: &Workspace, binary: &Utf8Path, tally: &mut Tally) -> Result<()> {
    let python = Python::with_duckdb(workspace)?;
    let scratch = workspace.target.join("parquet-readback");
    let mut command = python.command(workspace);
    command.args([SCRIPT, "--casebook", binary.as_str(), "--scratch", scratch.as_str()]);
    counting(&mut command, tally)
}

/// Runs a script whose last line says how many checks passed and failed, and adds them.
pub(crate) fn counting(command: &mut Command, tally: &mut Tally) -> Result<()> {
    let mut last = String::new();
    let outcome = process::run_reading(command, |line| line.clone_into(&mut last));
    let counted = script_result(&last);
    tally.add(counted.unwrap_or_default());
    outcome?;
    match counted {
        Some(_) => Ok(()),
        None => bail!("the last line is not `N passed, M failed`: {last:?}"),
    }
}

/// A Python, and the folder it takes packages from where that is not its own.
#[derive(Debug, Clone)]
struct Python {
    program: Utf8PathBuf,
    packages: Option<Utf8PathBuf>,
}

impl Python {
    /// One that can import `duckdb`: an earlier run's, or a new one.
    ///
    /// Debian splits `venv` off Python, hence the second way: `pip` into a folder of its own.
    fn with_duckdb(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.target.join("duckdb-venv");
        let own = Self { program: folder.join("bin").join("python"), packages: None };
        let packages = workspace.target.join("duckdb-site");
        let shared = Self { program: "python3".into(), packages: Some(packages.clone()) };
        if let Some(ready) = [&own, &shared].into_iter().find(|python| python.imports(workspace, "duckdb")) {
            return Ok(ready.clone());
        }
        require_python(workspace)?;
        if process::succeeds(workspace.command("python3").args(["-m", "venv", folder.as_str()])) {
            own.install(workspace, &[])?;
            return Ok(own);
        }
        if !shared.imports(workspace, "pip") {
            bail!(
                "python3 has neither venv nor pip: install one of them (Debian: `apt install python3-venv`)"
            );
        }
        shared.install(workspace, &["--target", packages.as_str()])?;
        Ok(shared)
    }

    fn command(&self, workspace: &Workspace) -> Command {
        let mut command = workspace.command(&self.program);
        if let Some(packages) = &self.packages {
            command.env("PYTHONPATH", packages);
        }
        command
    }

    fn imports(&self, workspace: &Workspace, module: &str) -> bool {
        process::succeeds(self.command(workspace).args(["-c", &format!("import {module}")]))
    }

    fn install(&self, workspace: &Workspace, options: &[&str]) -> Result<()> {
        let mut command = self.command(workspace);
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        process::run(command.args(options).arg("duckdb"))
            .context("cannot install the Python package duckdb, which reads the Parquet files back")
    }
}

/// Fails where there is no Python, and says what to install.
pub(crate) fn require_python(workspace: &Workspace) -> Result<()> {
    if process::succeeds(workspace.command("python3").arg("--version")) {
        return Ok(());
    }
    bail!(
        "python3 is not there, and this check is a Python script: install it (Debian: `apt install python3 python3-venv`)"
    )
}
