//! Measurements from text: a table whose columns are load, throughput and, if there is a third one, latency.
//!
//! ```text
//! # comment                      an empty line or a comment is passed over
//! users,throughput,latency_ms    a header: neither of the first two cells is a number
//! 1,64.9,15.4
//! ```
//!
//! Cells are separated by what separates those of the first row: `;`, a tab, `,` or blanks. Behind `;` and tabs, a comma in a
//! number is its decimal point, as spreadsheets of many countries write it. A row that cannot be read is an error with its line:
//! a fit without it would look like a fit of the whole file.

use crate::fit::Point;
use std::str::{Utf8Error, from_utf8};

/// Rows of a table. A fit needs a few dozen; the means of more say the same.
const MAX_ROWS: usize = 100_000;
/// Characters of a cell or header that an error or a note repeats.
const MAX_SHOWN: usize = 30;
/// Loads and throughputs beyond have squares that doubles do not hold exactly enough.
const MAX_NUMBER: f64 = 1e15;
/// Loads below are not concurrency.
const MIN_LOAD: f64 = 1e-9;

/// What a text holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The measurements, in the order of the text.
    pub points: Vec<Point>,
    /// The header, if there is one.
    pub header: Option<Vec<String>>,
    /// Whether rows have more than the three columns that are read.
    pub has_more_columns: bool,
}

/// Why a text is not a table of measurements.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// It has no row.
    #[error("expected rows such as `10,950` (load, throughput), found none")]
    Empty,
    /// Bytes that are not text.
    #[error("line {line}: expected text in UTF-8, found other bytes: is this a table?")]
    NotText {
        /// Its line, from 1.
        line: usize,
    },
    /// A cell is missing.
    #[error(
        "line {line}: expected load and throughput, separated by {separator} as in the first row, found one cell, `{found}`"
    )]
    OneCell {
        /// Its line, from 1.
        line: usize,
        /// In words.
        separator: &'static str,
        /// The cell.
        found: String,
    },
    /// A cell is not a number in its range.
    #[error("line {line}: expected {column} {range}, found `{found}`")]
    Cell {
        /// Its line, from 1.
        line: usize,
        /// `load`, `throughput` or `latency`.
        column: &'static str,
        /// What it may be.
        range: &'static str,
        /// The cell.
        found: String,
    },
    /// A row with, and another without a latency.
    #[error("line {line}: expected {expected}, as in the rows before")]
    Latency {
        /// Its line, from 1.
        line: usize,
        /// In words.
        expected: &'static str,
    },
    /// The header has the columns the other way round.
    #[error(
        "line {line}: the header says throughput first, and columns count by their place: load, throughput, latency. Swap them"
    )]
    Swapped {
        /// Its line, from 1.
        line: usize,
    },
    /// Too long.
    #[error("expected up to 100,000 rows, found more: the mean of each load is enough for a fit")]
    TooLong,
}

/// Reads a table.
pub fn read(bytes: &[u8]) -> Result<Table, TableError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut table = Table::default();
    let mut separator = None;
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        let text = from_utf8(line).map_err(|_invalid: Utf8Error| TableError::NotText { line: number })?;
        // A NUL is text, but in no table: such a file is UTF-16 or binary.
        if text.contains('\0') {
            return Err(TableError::NotText { line: number });
        }
        let text = text.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let separator = *separator.get_or_insert_with(|| Separator::of(text));
        let cells = separator.cells(text);
        let [first, second] = [0, 1].map(|at| cells.get(at).copied());
        let (Some(first), Some(second)) = (first, second) else {
            let found = shown(first.unwrap_or_default());
            return Err(TableError::OneCell { line: number, separator: separator.words(), found });
        };
        let is_first = table.points.is_empty() && table.header.is_none();
        if is_first && [first, second].iter().all(|cell| separator.number(cell).is_none() && !cell.is_empty())
        {
            if says(first, &THROUGHPUT) && says(second, &LOAD) {
                return Err(TableError::Swapped { line: number });
            }
            table.header = Some(cells.iter().take(3).map(|cell| shown(cell)).collect());
            continue;
        }
        if table.points.len() >= MAX_ROWS {
            return Err(TableError::TooLong);
        }
        let point = point(separator, &cells, number)?;
        if let Some(expected) =
            table.points.first().filter(|of| of.latency.is_some() != point.latency.is_some())
        {
            let expected =
                if expected.latency.is_some() { "a latency in the third cell" } else { "no latency" };
            return Err(TableError::Latency { line: number, expected });
        }
        table.has_more_columns |= cells.len() > 3;
        table.points.push(point);
    }
    if table.points.is_empty() { Err(TableError::Empty) } else { Ok(table) }
}

/// Words of headers that say which column it is.
const THROUGHPUT: [&str; 5] = ["throughput", "rps", "tps", "req", "rate"];
const LOAD: [&str; 8] = ["load", "user", "concurren", "connection", "thread", "client", "core", "cpu"];

fn says(cell: &str, words: &[&str]) -> bool {
    let cell = cell.to_lowercase();
    words.iter().any(|word| cell.contains(word))
}

fn point(separator: Separator, cells: &[&str], line: usize) -> Result<Point, TableError> {
    let cell = |at: usize, column: &'static str, range: &'static str, is_valid: fn(f64) -> bool| {
        let text = cells.get(at).copied().unwrap_or_default();
        separator.number(text).filter(|value| is_valid(*value)).ok_or_else(|| TableError::Cell {
            line,
            column,
            range,
            found: shown(text),
        })
    };
    let is_absent = cells.get(2).is_none_or(|cell| cell.is_empty());
    let positive = "as a number above 0, up to 1e15";
    Ok(Point {
        load: cell(0, "load", positive, |of| (MIN_LOAD..=MAX_NUMBER).contains(&of))?,
        throughput: cell(1, "throughput", "as a number from 0 to 1e15", |of| {
            (0.0..=MAX_NUMBER).contains(&of)
        })?,
        latency: if is_absent {
            None
        } else {
            Some(cell(2, "latency", positive, |of| of > 0.0 && of <= MAX_NUMBER)?)
        },
    })
}

/// The beginning of a cell.
fn shown(cell: &str) -> String {
    cell.chars().take(MAX_SHOWN).collect()
}

/// A cell without its quotation marks.
fn bare(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell).trim()
}

/// What separates the cells of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separator {
    Semicolon,
    Tab,
    Comma,
    Blanks,
}

impl Separator {
    fn of(row: &str) -> Self {
        match row {
            row if row.contains(';') => Self::Semicolon,
            row if row.contains('\t') => Self::Tab,
            row if row.contains(',') => Self::Comma,
            _ => Self::Blanks,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Semicolon => "a semicolon",
            Self::Tab => "a tab",
            Self::Comma => "a comma",
            Self::Blanks => "blanks",
        }
    }

    /// The cells of a row, without blanks and quotation marks around them. Only the first four matter.
    fn cells(self, row: &str) -> Vec<&str> {
        let char = match self {
            Self::Blanks => return row.split_whitespace().take(4).collect(),
            Self::Semicolon => ';',
            Self::Tab => '\t',
            Self::Comma => ',',
        };
        row.split(char).take(4).map(bare).collect()
    }

    fn number(self, cell: &str) -> Option<f64> {
        match self {
            Self::Semicolon | Self::Tab if cell.matches(',').count() == 1 && !cell.contains('.') => {
                cell.replace(',', ".").parse().ok()
            }
            _ => cell.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(f64, f64, Option<f64>)> {
        let table = read(text.as_bytes()).unwrap();
        table.points.iter().map(|of| (of.load, of.throughput, of.latency)).collect()
    }

    #[test]
    fn tables_of_every_separator_are_read() {
        let expected = vec![(1.0, 64.5, None), (18.0, 995.0, None)];
        for text in [
            "1,64.5\n18,995",
            "load,throughput\n1,64.5\n18,995\n",
            "\u{feff}users;X\r\n1;64,5\r\n18;995\r\n",
            "1\t64,5\n18\t995\n",
            "# of May\n1 64.5 # first\n\n  18    995",
            "\"load\",\"throughput\"\n\"1\",\"64.5\"\n\"18\", 995",
        ] {
            assert_eq!(rows(text), expected, "{text}");
        }
        assert_eq!(rows("1,64.5,15\n2,100,20,7,8"), [(1.0, 64.5, Some(15.0)), (2.0, 100.0, Some(20.0))]);
        assert!(read(b"1,2,3,4").unwrap().has_more_columns);
        // usl-rs takes a first row of numbers for a header.
        assert_eq!(read(b"1,65\n18,996").unwrap().header, None);
    }

    #[test]
    fn what_is_not_a_table_is_refused_with_its_line() {
        let check = |text: &[u8], expected: &str| {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check(b"", "found none");
        check(b"# nothing\n\n", "found none");
        check(b"load,throughput\n", "found none");
        check(
            b"1,2\n3\n",
            "line 2: expected load and throughput, separated by a comma as in the first row, found one cell, `3`",
        );
        check(b"1,2\n3;4\n", "line 2: expected load and throughput, separated by a comma");
        check(b"1,2\nx,4\n", "line 2: expected load as a number above 0, up to 1e15, found `x`");
        check(b"a,b\nc,d\n", "line 2: expected load");
        check(b"1,x\n", "line 1: expected throughput as a number from 0 to 1e15, found `x`");
        check(b"1,\n", "found ``");
        check(b"NaN,2\n", "line 1: expected load");
        check(b"1,NaN\n", "line 1: expected throughput");
        check(b"1,inf\n", "line 1: expected throughput");
        check(b"-1,2\n", "found `-1`");
        check(b"0,0\n", "found `0`");
        check(b"1,-2\n", "found `-2`");
        check(b"1,1e300\n", "found `1e300`");
        check(b"1e300,1\n", "found `1e300`");
        check(b"1,2,3\n2,3\n", "line 2: expected a latency in the third cell");
        check(b"1,2\n2,3,4\n", "line 2: expected no latency");
        check(b"1,2,0\n", "line 1: expected latency");
        check(b"throughput,users\n1,2\n", "line 1: the header says throughput first");
        check(b"1,2\n\xff\xfe,3\n", "line 2: expected text in UTF-8");
        check(b"1\0,\x002\0", "line 1: expected text in UTF-8");
        let many = "1,2\n".repeat(MAX_ROWS + 1);
        check(many.as_bytes(), "up to 100,000 rows");
        assert_eq!(read("1,2\n".repeat(MAX_ROWS).as_bytes()).unwrap().points.len(), MAX_ROWS);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_table_or_an_error(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            drop(read(&bytes));
        }

        #[test]
        fn any_text_of_such_signs_is_a_table_or_an_error(text in "[0-9.,;\t #\"eNainf+\n-]{0,80}") {
            if let Ok(table) = read(text.as_bytes()) {
                proptest::prop_assert!(table.points.iter().all(|of| of.load > 0.0 && of.throughput.is_finite()));
            }
        }
    }
}
