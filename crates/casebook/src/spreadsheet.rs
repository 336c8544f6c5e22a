//! CSV, which people open in spreadsheets: no text of a recording is a formula there.

use crate::terminal;
use sql::output::{Csv, Guarded};
use sql::{AnswerColumn, Cell, Error, Rows};
use std::io::Write;

/// Whether CSV is for programs alone.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Raw {
    /// CSV: write texts as they are. Without it, what a spreadsheet would compute (a text, or what stands behind a ; or a
    /// tab in it, that begins with =, +, - or @) gets an apostrophe before it; numbers never do
    #[arg(long)]
    raw: bool,
}

/// Rows as CSV, guarded or not.
#[derive(Debug)]
pub(crate) enum Sheet<W> {
    Guarded(Guarded<Csv<W>>),
    Raw(Csv<W>),
}

impl Raw {
    /// Refuses the flag where nothing is CSV.
    pub(crate) fn ensure_csv(self, is_csv: bool) -> anyhow::Result<()> {
        anyhow::ensure!(is_csv || !self.raw, "--raw is for CSV: the other formats have texts as they are");
        Ok(())
    }

    /// Rows of which nothing is written yet.
    pub(crate) fn rows<W: Write>(self, out: W) -> Sheet<W> {
        let rows = Csv::new(out);
        if self.raw { Sheet::Raw(rows) } else { Sheet::Guarded(Guarded::new(rows)) }
    }
}

impl<W: Write> Sheet<W> {
    /// Texts that were guarded so far.
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

/// Says how many texts were guarded, if any was, and what to do about it.
pub(crate) fn tell(guarded: u64) {
    let what = match guarded {
        0 => return,
        1 => "1 text of the CSV looks like a formula and has".to_owned(),
        many => format!("{many} texts of the CSV look like formulas and have"),
    };
    terminal::say(&format!(
        "{what} an apostrophe before the sign, so that no spreadsheet computes what a recording says; programs that read \
         the file want --raw"
    ));
}
