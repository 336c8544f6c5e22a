//! CSV for spreadsheets. A text of a recording must not become a formula there, so it gets an apostrophe if it looks like one.

use crate::terminal;
use sql::output::{Csv, Guarded};
use sql::{AnswerColumn, Cell, Error, Rows};
use std::io::Write;

/// Whether CSV is written for programs only, without apostrophes.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Raw {
    /// CSV only: write texts unchanged. Without it, a text that a spreadsheet would take for a formula gets an apostrophe in
    /// front: it begins with =, +, - or @, or has one of them after a tab or a semicolon. Numbers never get one
    #[arg(long)]
    raw: bool,
}

/// Rows as CSV, with apostrophes or without.
#[derive(Debug)]
pub(crate) enum Sheet<W> {
    Guarded(Guarded<Csv<W>>),
    Raw(Csv<W>),
}

impl Raw {
    /// Refuses the flag if the output is not CSV.
    pub(crate) fn ensure_csv(self, is_csv: bool) -> anyhow::Result<()> {
        anyhow::ensure!(is_csv || !self.raw, "--raw is for CSV: the other formats never change texts");
        Ok(())
    }

    /// Starts to write rows.
    pub(crate) fn rows<W: Write>(self, out: W) -> Sheet<W> {
        let rows = Csv::new(out);
        if self.raw { Sheet::Raw(rows) } else { Sheet::Guarded(Guarded::new(rows)) }
    }
}

impl<W: Write> Sheet<W> {
    /// How many texts have got an apostrophe so far.
    pub(crate) fn guarded(&self) -> u64 {
        match self {
            Self::Guarded(rows) => rows.guarded(),
            Self::Raw(_) => 0,
        }
    }

    fn rows(&mut self) -> &mut dyn Rows {
        match self {
            Self::Guarded(rows) => rows,
            Self::Raw(rows) => rows,
        }
    }
}

impl<W: Write> Rows for Sheet<W> {
    fn begin(&mut self, columns: &[AnswerColumn]) -> Result<(), Error> {
        self.rows().begin(columns)
    }

    fn row(&mut self, cells: Vec<Cell>) -> Result<(), Error> {
        self.rows().row(cells)
    }
}

/// Says how many texts got an apostrophe, if any did, and how to avoid it.
pub(crate) fn warn(guarded: u64) {
    let what = match guarded {
        0 => return,
        1 => "1 text of the CSV looks like a formula and got".to_owned(),
        many => format!("{many} texts of the CSV look like formulas and got"),
    };
    terminal::say(&format!(
        "{what} an apostrophe in front, so that no spreadsheet runs it; --raw writes texts unchanged"
    ));
}
