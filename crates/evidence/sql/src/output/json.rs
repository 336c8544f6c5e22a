//! Answers as one JSON document: `{rows: [[…]], columns: [{name, type, unit}], truncated}`.
//!
//! A column's type is the narrowest that holds its values, so columns come behind the rows.

use crate::Error;
use crate::answer::{AnswerColumn, Cell, Rows, SeenTypes};
use serde_json::{Value, json};
use std::io::Write;

/// Writes an answer as JSON as it comes.
#[derive(Debug)]
pub struct Json<W> {
    out: W,
    columns: Vec<(AnswerColumn, SeenTypes)>,
    rows: u64,
}

impl<W: Write> Json<W> {
    /// A document of which nothing is written yet.
    pub fn new(out: W) -> Self {
        Self { out, columns: Vec::new(), rows: 0 }
    }

    /// Writes what stands behind the rows.
    pub fn finish(mut self, truncated: bool) -> Result<(), Error> {
        let column = |(column, seen): &(AnswerColumn, SeenTypes)| {
            let kind = seen.narrowest(column.kind).name();
            json!({"name": column.name, "type": kind, "unit": column.unit})
        };
        let columns = Value::Array(self.columns.iter().map(column).collect());
        writeln!(self.out, "\n  ],\n  \"columns\": {columns},\n  \"truncated\": {truncated}\n}}")?;
        Ok(())
    }
}

impl<W: Write> Rows for Json<W> {
    fn begin(&mut self, columns: &[AnswerColumn]) -> Result<(), Error> {
        self.columns = columns.iter().map(|column| (column.clone(), SeenTypes::default())).collect();
        self.out.write_all(b"{\n  \"rows\": [")?;
        Ok(())
    }

    fn row(&mut self, cells: Vec<Cell>) -> Result<(), Error> {
        for ((_, seen), cell) in self.columns.iter_mut().zip(&cells) {
            seen.add(cell);
        }
        let row = Value::Array(cells.into_iter().map(value).collect());
        let comma = if self.rows == 0 { "" } else { "," };
        self.rows = self.rows.saturating_add(1);
        write!(self.out, "{comma}\n    {row}")?;
        Ok(())
    }
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Int(value) => Value::from(value),
        Cell::Real(value) => Value::from(value),
        Cell::Text(text) => Value::from(text),
    }
}
