//! Rows for spreadsheets, in which no text is a formula.
//!
//! A text that a spreadsheet would compute gets an apostrophe before it. Numbers are never touched, also those below zero.
//! The scripts of the pages do the same (`field` in `web/table.js`); `web/tests/formulas.json` holds both to one answer.

use crate::Error;
use crate::answer::{AnswerColumn, Cell, Rows};

/// Whether a spreadsheet would take a text for a formula: by its first character, of which some also have a wide form.
pub fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
}

/// Hands rows on with an apostrophe before each text that is a formula, and counts those.
#[derive(Debug)]
pub struct Guarded<R> {
    rows: R,
    guarded: u64,
}

impl<R: Rows> Guarded<R> {
    /// Guards what `rows` takes.
    pub fn new(rows: R) -> Self {
        Self { rows, guarded: 0 }
    }

    /// Names of columns and texts that got an apostrophe so far.
    pub fn guarded(&self) -> u64 {
        self.guarded
    }

    fn guard(&mut self, text: String) -> String {
        if !is_formula(&text) {
            return text;
        }
        self.guarded = self.guarded.saturating_add(1);
        format!("'{text}")
    }
}

impl<R: Rows> Rows for Guarded<R> {
    fn begin(&mut self, columns: &[AnswerColumn]) -> Result<(), Error> {
        let mut columns = columns.to_vec();
        for column in &mut columns {
            column.name = self.guard(std::mem::take(&mut column.name));
        }
        self.rows.begin(&columns)
    }

    fn row(&mut self, mut cells: Vec<Cell>) -> Result<(), Error> {
        for cell in &mut cells {
            if let Cell::Text(text) = cell {
                *text = self.guard(std::mem::take(text));
            }
        }
        self.rows.row(cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Csv;

    /// A row of one cell as CSV, and how many cells were guarded.
    fn written(cell: Cell) -> (String, u64) {
        let mut out = Vec::new();
        let mut rows = Guarded::new(Csv::new(&mut out));
        rows.row(vec![cell]).unwrap();
        let guarded = rows.guarded();
        (String::from_utf8(out).unwrap(), guarded)
    }

    #[test]
    fn a_text_that_a_spreadsheet_would_compute_is_the_same_here_and_on_the_pages() {
        let shared = include_str!("../../../../../web/tests/formulas.json");
        let pairs: Vec<(String, String)> = serde_json::from_str(shared).unwrap();
        for (text, expected) in pairs {
            let (line, guarded) = written(Cell::Text(text.clone()));
            assert_eq!(line, format!("{expected}\r\n"), "{text:?}");
            assert_eq!(guarded > 0, is_formula(&text), "{text:?}");
        }
    }

    #[test]
    fn numbers_stay_numbers_also_below_zero() {
        assert_eq!(written(Cell::Int(-1)), ("-1\r\n".to_owned(), 0));
        assert_eq!(written(Cell::Real(-0.5)), ("-0.5\r\n".to_owned(), 0));
        assert_eq!(written(Cell::Null), ("\r\n".to_owned(), 0));
    }

    #[test]
    fn names_of_columns_are_texts_too() {
        let mut out = Vec::new();
        let mut rows = Guarded::new(Csv::new(&mut out));
        let name = "=cmd|' /C calc'!A1".to_owned();
        rows.begin(&[AnswerColumn { name, kind: None, unit: String::new() }]).unwrap();
        assert_eq!(rows.guarded(), 1);
        assert_eq!(String::from_utf8(out).unwrap(), "'=cmd|' /C calc'!A1\r\n");
    }
}
