//! `casebook explain`: what a recording says about the service, on a page or as JSON.

mod json;
mod loss;
mod text;

use crate::format::print_json;
use crate::reading;
use anyhow::Result;
use clap::ValueEnum;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a recording says: what was recorded, what of it is lost, and each part of the runtime in figures
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  casebook explain trace.nettrace\n  casebook explain trace.nettrace.zst --format json | jq .loss"
)]
pub(crate) struct Args {
    /// A recording: .nettrace, packed or not, or an exhibit's folder
    file: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Exit with 1 where a finding is at least this severe; there are no findings yet, so nothing fails
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<Severity>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Severity {
    /// Findings that are critical
    Critical,
    /// Warnings, and what is worse
    Warning,
    /// Any finding
    Note,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let recording = reading::open(&args.file, false)?;
    let report = findings::explain(&recording);
    let parts = runtime::parts(&recording);
    match args.format {
        Format::Json => print_json(&json::document(&recording, &report, &parts))?,
        Format::Text => {
            let page = text::page(&recording, &parts);
            anstream::stdout().write_all(page.text().as_bytes())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
