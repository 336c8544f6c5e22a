//! `casebook tables`: the catalogue of tables and columns.

use crate::completions::candidates;
use crate::format::print_json;
use crate::reading;
use crate::terminal;
use anyhow::Result;
use clap::ValueEnum;
use std::path::PathBuf;
use std::process::ExitCode;
use text::tables::{catalogue, catalogue_of, markdown, text};

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

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let process = args.whose.or_all();
    let opened = args.file.as_deref().map(|file| reading::open(file, false, process)).transpose()?;
    let catalogue = match opened {
        Some(evidence) => {
            reading::warn_of_losses(&evidence);
            catalogue_of(&*evidence.tables(), evidence.kind())
        }
        None => catalogue(),
    };
    match args.format {
        Format::Json => print_json(&catalogue)?,
        Format::Text => terminal::print(&text(&catalogue, terminal::width()))?,
        Format::Markdown => terminal::print(&markdown(&catalogue))?,
    }
    Ok(ExitCode::SUCCESS)
}
