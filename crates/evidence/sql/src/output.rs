//! Answers as JSON, CSV, aligned text and Parquet.
//!
//! Every writer takes the whole answer and a sink; none decides where the bytes go.

mod parquet_file;
mod text;

pub use parquet_file::write_parquet;
pub use text::{write_csv, write_table};

use crate::answer::{Answer, Cell};
use serde_json::{Value, json};

/// The answer as `{columns: [{name, type, unit}], rows: [[…]], truncated}`.
pub fn to_json(answer: &Answer) -> Value {
    let columns: Vec<Value> = answer
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| json!({"name": column.name, "type": answer.kind(at).name(), "unit": column.unit}))
        .collect();
    let rows: Vec<Value> = answer.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    json!({"columns": columns, "rows": rows, "truncated": answer.truncated})
}

fn cell(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Int(value) => Value::from(*value),
        Cell::Real(value) => Value::from(*value),
        Cell::Text(text) => Value::from(text.as_str()),
    }
}
