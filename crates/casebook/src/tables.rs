//! `casebook tables`: the catalogue of tables and columns.

use crate::format::print_json;
use crate::reading;
use crate::terminal;
use anyhow::Result;
use clap::ValueEnum;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use text::tables::{catalogue, catalogue_of, markdown, text};

/// The tables and columns that recordings and other exhibits offer; with a file, those it has and how many rows each has
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  casebook tables\n  casebook tables trace.nettrace --format json\n  casebook tables --format markdown > docs/tables.md"
)]
pub(crate) struct Args {
    /// A recording, benchmark results, or an exhibit's folder
    file: Option<PathBuf>,
    #[command(flatten)]
    whose: reading::Whose,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One document
    Json,
    /// The page docs/tables.md
    Markdown,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let process = args.whose.or_all();
    let opened = args.file.as_deref().map(|file| reading::open(file, false, process)).transpose()?;
    let catalogue = match opened {
        Some(evidence) => catalogue_of(&*evidence.tables(), evidence.kind()),
        None => catalogue(),
    };
    match args.format {
        Format::Json => print_json(&catalogue)?,
        Format::Table => terminal::stdout().write_all(text(&catalogue).as_bytes())?,
        Format::Markdown => terminal::stdout().write_all(markdown(&catalogue).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}
