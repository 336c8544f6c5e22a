//! `casebook diff`: what changed between two recordings, as text or as JSON.

use crate::completions::candidates;
use crate::config::Config;
use crate::format::{Format, print_json};
use crate::mine;
use crate::reading;
use crate::terminal;
use anyhow::Result;
use clap::ValueEnum;
use diff::Side;
use report::Basis;
use runtime::{HandlerNames, StackIndex};
use std::path::PathBuf;
use std::process::ExitCode;
use text::diff::Rows;

const AFTER_HELP: &str = "\
Examples:
  casebook diff before after
  casebook diff before after --per request     # if the load differs
  casebook diff monday.nettrace friday.nettrace --all
  casebook diff before after --format json \\
    | jq '.changes[] | select(.verdict == \"beyond noise\")'";

/// Show what changed between two recordings of a service
///
/// It prints one sentence, the findings that came and went, and up to ten changes, those with a common cause together. A
/// change is "beyond noise" if it is larger than the difference between two runs of the same service, corrected for the
/// number of figures tested. docs/diff.md says how that is decided.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The recording before: a recording's folder, or a .nettrace file (compressed or not)
    #[arg(add = candidates::recordings())]
    before: PathBuf,
    /// The recording after
    #[arg(add = candidates::recordings())]
    after: PathBuf,
    #[command(flatten)]
    whose: reading::WhoseTwo,
    /// What to divide amounts by, so that recordings of different length or load can be compared
    #[arg(long, value_enum, default_value_t = Per::Duration)]
    per: Per,
    #[command(flatten)]
    mine: mine::Mine,
    /// Show every row, including those that are not proven beyond noise
    #[arg(long)]
    all: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Per {
    /// The recorded time
    Duration,
    /// The number of requests that started in it
    Request,
}

pub(crate) fn run(args: &Args, config: &Config) -> Result<ExitCode> {
    let my = args.mine.code(config)?;
    let [before, after] = args.whose.before_and_after()?;
    let (before, after) =
        (reading::open_trace(&args.before, false, before)?, reading::open_trace(&args.after, false, after)?);
    let indices = (StackIndex::with(&before, &my), StackIndex::with(&after, &my));
    let reports = (findings::explain_with(&before, &indices.0), findings::explain_with(&after, &indices.1));
    let basis = match args.per {
        Per::Duration => Basis::Duration,
        Per::Request => Basis::Request,
    };
    let handlers = (HandlerNames::new(&before, &indices.0), HandlerNames::new(&after, &indices.1));
    let diff = diff::compare(
        &Side {
            recording: &before,
            index: &indices.0,
            handlers: &handlers.0,
            report: &reports.0,
            range: None,
        },
        &Side {
            recording: &after,
            index: &indices.1,
            handlers: &handlers.1,
            report: &reports.1,
            range: None,
        },
        basis,
    );
    match args.format {
        Format::Json => print_json(&text::diff::document(&before, &after, &diff))?,
        Format::Text => {
            let rows = if args.all { Rows::All } else { Rows::First };
            let headings = (runtime::heading(&before), runtime::heading(&after));
            let page = text::diff::page(&headings.0, &headings.1, &diff, rows, terminal::width());
            terminal::print(&page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
