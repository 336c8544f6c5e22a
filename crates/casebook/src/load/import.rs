//! `casebook load import`: a scenario of `curl` command lines, or of a HAR file.

use super::scenario::{read_all, read_file};
use crate::outputs::{Outputs, is_stdout, write_whole};
use crate::terminal;
use anyhow::{Context, Result, bail};
use load::{ImportOptions, Imported};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  casebook load import session.har -o shop.toml          # what a browser saved as HAR
  casebook load import requests.sh -o shop.toml          # command lines of curl
  casebook load import session.har --host shop.example   # only the requests to this host
  casebook load import --flow session.har -o shop.toml   # one after another, as they were recorded

A scenario has one origin: the one with the most requests. What is left out is said on standard error, with its count.";

/// The largest file, in bytes. HAR files contain the responses too.
const MAX_INPUT: u64 = 256 << 20;

/// Make a scenario of `curl` command lines or of a HAR file
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The HAR file, or a file with one or more `curl` command lines; `-` is standard input
    file: PathBuf,
    /// Where to write the scenario [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Take the requests to this host only
    #[arg(long, alias = "filter", value_name = "HOST")]
    host: Option<String>,
    /// Replace the file if it exists
    #[arg(long, requires = "output")]
    force: bool,
    /// Keep the requests in their order, as one flow, instead of choosing among them by weight
    #[arg(long)]
    flow: bool,
    #[command(flatten)]
    outputs: Outputs,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let bytes = if args.file == Path::new("-") {
        read_all(std::io::stdin().lock(), MAX_INPUT)
    } else {
        read_file(&args.file, MAX_INPUT)
    };
    let bytes = bytes.with_context(|| format!("cannot read {}", args.file.display()))?;
    let options = ImportOptions { host: args.host.as_deref(), as_flow: args.flow };
    let imported = load::import(&bytes, options).with_context(|| args.file.display().to_string())?;
    match args.output.as_deref().filter(|path| !is_stdout(path)) {
        // A scenario is edited by hand: what was changed in it must not be lost.
        Some(path) if !args.force && path.is_file() => {
            bail!("{} exists: --force replaces it", path.display());
        }
        Some(path) => {
            write_whole(path, args.outputs.rules(), |out| Ok(out.write_all(imported.text.as_bytes())?))?;
        }
        None => terminal::print(&imported.text)?,
    }
    report(&imported);
    Ok(ExitCode::SUCCESS)
}

/// Says what came of it, and what did not.
fn report(imported: &Imported) {
    let requests = if imported.requests == 1 { "request" } else { "different requests" };
    terminal::say(&format!("{} {requests}", imported.requests));
    for (what, count) in &imported.notes {
        terminal::say(&format!("{count} × {what}"));
    }
    if !imported.secrets.is_empty() {
        terminal::say(&format!(
            "the scenario contains secrets (headers {}): do not share it, or replace them by variables",
            imported.secrets.join(", ")
        ));
    }
}
