//! What a query answers: columns with types and units where they are known, and rows.

use model::Type;

/// The answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its columns.
    pub columns: Vec<AnswerColumn>,
    /// Its rows; each has a cell a column.
    pub rows: Vec<Vec<Cell>>,
    /// Whether there were more rows than the limit.
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
        let cells = || self.rows.iter().filter_map(move |row| row.get(column));
        let integers = cells().all(|cell| matches!(cell, Cell::Null | Cell::Int(_)));
        let numbers = cells().all(|cell| matches!(cell, Cell::Null | Cell::Int(_) | Cell::Real(_)));
        let some = cells().any(|cell| *cell != Cell::Null);
        match self.columns.get(column).and_then(|column| column.kind) {
            Some(Type::Text) => Type::Text,
            Some(Type::Integer) if integers => Type::Integer,
            Some(Type::Real) if numbers => Type::Real,
            _ if integers && some => Type::Integer,
            _ if numbers && some => Type::Real,
            _ => Type::Text,
        }
    }
}
