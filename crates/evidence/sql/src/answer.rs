//! What a query answers: columns with types and units where they are known, and rows.
//!
//! Rows are handed on as they come ([`Rows`]); an [`Answer`] keeps them all, up to a number of bytes.

use crate::Error;
use base::number::wide;
use model::Type;

/// Takes an answer as it comes.
pub trait Rows {
    /// The columns, once, before any row.
    fn begin(&mut self, columns: &[AnswerColumn]) -> Result<(), Error>;
    /// The next row, with a cell a column.
    fn row(&mut self, cells: Vec<Cell>) -> Result<(), Error>;
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its columns.
    pub columns: Vec<AnswerColumn>,
    /// Its rows; each has a cell a column.
    pub rows: Vec<Vec<Cell>>,
    /// Whether there were more rows than the limit, or more bytes of them than are kept.
    pub truncated: bool,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerColumn {
    /// Its name, as the statement gives it.
    pub name: String,
    /// Its declared type, where it is a plain column of a table.
    pub kind: Option<Type>,
    /// Its unit, where it is a plain column of a table; else empty.
    pub unit: String,
}

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// An integer.
    Int(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
}

impl Answer {
    /// The type of a column: the declared one if all its values are of it, else the narrowest that holds them.
    pub fn kind(&self, column: usize) -> Type {
        let mut seen = SeenTypes::default();
        self.rows.iter().filter_map(|row| row.get(column)).for_each(|cell| seen.add(cell));
        seen.narrowest(self.columns.get(column).and_then(|column| column.kind))
    }
}

/// The types of the values of a column.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SeenTypes {
    integer: bool,
    real: bool,
    text: bool,
}

impl SeenTypes {
    pub(crate) fn add(&mut self, cell: &Cell) {
        match cell {
            Cell::Null => {}
            Cell::Int(_) => self.integer = true,
            Cell::Real(_) => self.real = true,
            Cell::Text(_) => self.text = true,
        }
    }

    /// The declared type if it holds all values, else the narrowest that does.
    pub(crate) fn narrowest(self, declared: Option<Type>) -> Type {
        match declared {
            Some(Type::Integer) if !self.real && !self.text => Type::Integer,
            Some(Type::Real) if !self.text => Type::Real,
            Some(Type::Text) => Type::Text,
            _ if self.text || !(self.integer || self.real) => Type::Text,
            _ if self.real => Type::Real,
            _ => Type::Integer,
        }
    }
}

/// Bytes of memory that a cell takes.
pub(crate) fn cell_bytes(cell: &Cell) -> u64 {
    let text = if let Cell::Text(text) = cell { text.len() } else { 0 };
    wide(text.saturating_add(size_of::<Cell>()))
}

/// Keeps an answer, up to a limit.
pub(crate) struct Collector {
    pub(crate) answer: Answer,
    bytes: u64,
    most_bytes: u64,
}

impl Collector {
    pub(crate) fn new(most_bytes: u64) -> Self {
        let answer = Answer { columns: Vec::new(), rows: Vec::new(), truncated: false };
        Self { answer, bytes: 0, most_bytes }
    }
}

impl Rows for Collector {
    fn begin(&mut self, columns: &[AnswerColumn]) -> Result<(), Error> {
        self.answer.columns = columns.to_vec();
        Ok(())
    }

    fn row(&mut self, cells: Vec<Cell>) -> Result<(), Error> {
        let own = wide(size_of::<Vec<Cell>>());
        self.bytes = cells.iter().map(cell_bytes).fold(self.bytes.saturating_add(own), u64::saturating_add);
        if self.bytes > self.most_bytes {
            return Err(Error::TooLarge(self.most_bytes));
        }
        self.answer.rows.push(cells);
        Ok(())
    }
}
