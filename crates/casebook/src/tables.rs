//! `casebook tables`: the catalogue of tables and columns.

use crate::completions::candidates;
use crate::format::print_json;
use crate::query::sql_name;
use crate::reading;
use crate::terminal;
use anyhow::Result;
use clap::ValueEnum;
use import::ProcessChoice;
use model::Kind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use text::tables::{Entry, catalogue, catalogue_of, markdown, text};

const AFTER_HELP: &str = "\
Examples:
  casebook tables
  casebook tables slow
  casebook tables trace.nettrace --format json
  casebook tables --format markdown > docs/tables.md";

/// List all tables and columns, or those of a file with their numbers of rows
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// A recording's or load run's folder, a .nettrace file (compressed or not), a latency log (.hlog), or benchmark results (*-report-full.json)
    #[arg(add = candidates::recordings())]
    file: Option<PathBuf>,
    #[command(flatten)]
    whose: reading::Whose,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[value(alias = "table")]
    Text,
    /// One JSON document
    Json,
    /// The content of docs/tables.md
    Markdown,
}

/// The tables of a file or folder. Those of several exhibits in sub-folders have names as in a query: `trace.requests`.
fn of_file(file: &Path, process: ProcessChoice) -> Result<Vec<Entry>> {
    let found = reading::find(file)?;
    let [_, _, ..] = found.as_slice() else {
        let evidence = reading::open(file, false, process)?;
        reading::warn_of_losses(&evidence);
        return Ok(catalogue_of(&*evidence.tables(), evidence.kind(), None));
    };
    let mut all = Vec::new();
    for of in found {
        // Other kinds do not say which process they are of.
        let process = if of.kind == Kind::Trace { process } else { ProcessChoice::All };
        let evidence = reading::open(&of.path, false, process)?;
        reading::warn_of_losses(&evidence);
        let schema = of.name.as_deref().map(sql_name);
        all.extend(catalogue_of(&*evidence.tables(), evidence.kind(), schema.as_deref()));
    }
    Ok(all)
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let process = args.whose.or_all();
    let catalogue = match &args.file {
        Some(file) => of_file(file, process)?,
        None => catalogue(),
    };
    match args.format {
        Format::Json => print_json(&catalogue)?,
        Format::Text => terminal::print(&text(&catalogue, terminal::width()))?,
        Format::Markdown => terminal::print(&markdown(&catalogue))?,
    }
    Ok(ExitCode::SUCCESS)
}
