//! `casebook diff`: what changed between two recordings, on a page or as JSON.

use crate::format::print_json;
use crate::mine;
use crate::reading;
use crate::terminal;
use anyhow::Result;
use clap::ValueEnum;
use diff::{Options, Side};
use report::Basis;
use runtime::StackIndex;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use text::diff::Rows;

/// What changed between two recordings of a service: one sentence, findings, ten rows or fewer by cause
///
/// A row is beyond noise if its change is more than two runs of one service differ by, corrected for the number of
/// comparisons. docs/diff.md says how that is decided.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  casebook diff before.nettrace after.nettrace\n  casebook diff before.nettrace after.nettrace --per request   # where the load differs\n  casebook diff monday/ friday/ --all\n  casebook diff a.nettrace.zst b.nettrace.zst --format json | jq '.changes[] | select(.verdict == \"beyond noise\")'"
)]
pub(crate) struct Args {
    /// The recording before: .nettrace, packed or not, or an exhibit's folder
    before: PathBuf,
    /// The recording after
    after: PathBuf,
    #[command(flatten)]
    whose: reading::WhoseTwo,
    /// What amounts are divided by
    #[arg(long, value_enum, default_value_t = Per::Duration)]
    per: Per,
    #[command(flatten)]
    mine: mine::Mine,
    /// Show every row, also those within the noise
    #[arg(long)]
    all: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Per {
    /// The time that was observed
    Duration,
    /// The requests that began in it
    Request,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document, with every row
    Json,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let my = args.mine.code()?;
    let [before, after] = args.whose.before_and_after()?;
    let (before, after) =
        (reading::open_trace(&args.before, false, before)?, reading::open_trace(&args.after, false, after)?);
    let indices = (StackIndex::with(&before, &my), StackIndex::with(&after, &my));
    let reports = (findings::explain_with(&before, &indices.0), findings::explain_with(&after, &indices.1));
    let basis = match args.per {
        Per::Duration => Basis::Duration,
        Per::Request => Basis::Request,
    };
    let diff = diff::compare(
        &Side { recording: &before, index: &indices.0, report: &reports.0, range: None },
        &Side { recording: &after, index: &indices.1, report: &reports.1, range: None },
        &Options { basis },
    );
    match args.format {
        Format::Json => print_json(&text::diff::document(&before, &after, &diff))?,
        Format::Text => {
            let rows = if args.all { Rows::All } else { Rows::First };
            let page = text::diff::page(&runtime::heading(&before), &runtime::heading(&after), &diff, rows);
            terminal::stdout().write_all(page.as_bytes())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
