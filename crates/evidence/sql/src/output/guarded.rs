//! Rows for spreadsheets, in which no text is a formula.
//!
//! A sign that would begin a formula gets an apostrophe before it: at the beginning of a text, and where a spreadsheet
//! that separates cells by `;` or tabs would begin one within the text. Numbers are never touched, also those below zero.
//! The scripts of the pages do the same (`guarded` in `web/table.js`); `web/tests/formulas.json` holds both to one answer.

use crate::Error;
use crate::answer::{AnswerColumn, Cell, Rows};

/// What a formula begins with; some have a wide form.
fn is_sign(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
}

/// What a cell ends at, in a spreadsheet that separates by something else than commas: then quotes within a line of ours do
/// not hold a text together.
fn is_separator(c: char) -> bool {
    matches!(c, ';' | '\t' | '\r' | '\n')
}

/// What does not keep a sign behind it from being the first of its cell: what is not seen, or is taken off on reading.
fn is_passed(c: char) -> bool {
    matches!(c, '\0'..=' ' | '"' | '\u{7f}'..='\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}'
        | '\u{1680}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{200f}'
        | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{2800}' | '\u{3000}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// A text with an apostrophe before each sign that would make it a formula, or a part of it that a spreadsheet may take for
/// a cell; `None` if there is none.
fn guarded(text: &str) -> Option<String> {
    let mut written = String::new();
    let (mut begins, mut from) = (true, 0);
    for (at, c) in text.char_indices() {
        if begins && is_sign(c) {
            written.push_str(text.get(from..at).unwrap_or_default());
            written.push('\'');
            from = at;
        }
        begins = is_separator(c) || begins && is_passed(c);
    }
    (from > 0 || !written.is_empty()).then(|| written + text.get(from..).unwrap_or_default())
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
        let Some(guarded) = guarded(&text) else { return text };
        self.guarded = self.guarded.saturating_add(1);
        guarded
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
            let (line, count) = written(Cell::Text(text.clone()));
            assert_eq!(line, format!("{expected}\r\n"), "{text:?}");
            assert_eq!(count > 0, guarded(&text).is_some(), "{text:?}");
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
