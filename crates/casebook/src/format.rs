//! What is common to the commands' output: JSON as one document.

use crate::terminal;
use serde::Serialize;
use std::io::{BufWriter, Write};

/// Prints one JSON document.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = BufWriter::new(terminal::json());
    serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}
