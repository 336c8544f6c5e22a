//! `--format text` or `json`, and how a JSON document is printed.

use crate::terminal;
use serde::Serialize;
use std::io::{BufWriter, Write};

/// The formats of commands that have no others. `table` is what some commands called the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    #[value(alias = "table")]
    Text,
    /// One JSON document
    Json,
}

/// Prints one JSON document.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = BufWriter::new(terminal::json());
    serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}
