//! Answers as one JSON document: `{rows: [[…]], columns: [{name, type, unit}], truncated}`, with rows as arrays or as objects;
//! or as one object per line.
//!
//! A column's type is the narrowest that holds its values, so columns come behind the rows. Rows are written as they come.

use crate::Error;
use crate::answer::{AnswerColumn, Cell, Rows, SeenTypes};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;

/// Writes an answer as one JSON document as it comes.
#[derive(Debug)]
pub struct Json<W> {
    out: W,
    columns: Vec<(AnswerColumn, SeenTypes)>,
    shape: Shape,
    rows: u64,
    /// The row that is being written, so that the output gets it in one piece.
    row: Vec<u8>,
}

impl<W: Write> Json<W> {
    /// A document of which nothing is written yet, whose rows are arrays.
    pub fn new(out: W) -> Self {
        Self { out, columns: Vec::new(), shape: Shape::Arrays, rows: 0, row: Vec::new() }
    }

    /// The same document with rows as objects, whose members are in the order of the columns.
    ///
    /// A name that occurs again gets `_2`, `_3` and so on, since readers keep only one of several members with one name.
    pub fn of_objects(out: W) -> Self {
        Self { shape: Shape::Objects(Vec::new()), ..Self::new(out) }
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
        if matches!(self.shape, Shape::Objects(_)) {
            self.shape = Shape::objects(columns)?;
        }
        self.out.write_all(b"{\n  \"rows\": [")?;
        Ok(())
    }

    fn row(&mut self, cells: Vec<Cell>) -> Result<(), Error> {
        for ((_, seen), cell) in self.columns.iter_mut().zip(&cells) {
            seen.add(cell);
        }
        self.row.clear();
        self.row.extend_from_slice(if self.rows == 0 { b"\n    " } else { b",\n    " });
        self.rows = self.rows.saturating_add(1);
        self.shape.push(&mut self.row, &cells)?;
        self.out.write_all(&self.row)?;
        Ok(())
    }
}

/// Writes an answer as one JSON object per line as it comes. Names are those of [`Json::of_objects`].
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    shape: Shape,
    row: Vec<u8>,
}

impl<W: Write> Lines<W> {
    /// An answer of which nothing is written yet.
    pub fn new(out: W) -> Self {
        Self { out, shape: Shape::Objects(Vec::new()), row: Vec::new() }
    }
}

impl<W: Write> Rows for Lines<W> {
    fn begin(&mut self, columns: &[AnswerColumn]) -> Result<(), Error> {
        self.shape = Shape::objects(columns)?;
        Ok(())
    }

    fn row(&mut self, cells: Vec<Cell>) -> Result<(), Error> {
        self.row.clear();
        self.shape.push(&mut self.row, &cells)?;
        self.row.push(b'\n');
        self.out.write_all(&self.row)?;
        Ok(())
    }
}

/// What a row becomes.
#[derive(Debug)]
enum Shape {
    Arrays,
    /// Objects with these keys, each as JSON with its colon.
    Objects(Vec<Vec<u8>>),
}

impl Shape {
    fn objects(columns: &[AnswerColumn]) -> Result<Self, Error> {
        let mut keys = Vec::with_capacity(columns.len());
        for name in unique_names(columns) {
            let mut key = Vec::new();
            serde_json::to_writer(&mut key, &name).map_err(std::io::Error::from)?;
            key.push(b':');
            keys.push(key);
        }
        Ok(Self::Objects(keys))
    }

    /// Appends a row.
    fn push(&self, row: &mut Vec<u8>, cells: &[Cell]) -> Result<(), Error> {
        let (open, close) = if matches!(self, Self::Arrays) { (b'[', b']') } else { (b'{', b'}') };
        row.push(open);
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                row.push(b',');
            }
            if let Self::Objects(keys) = self {
                row.extend_from_slice(keys.get(at).map(Vec::as_slice).unwrap_or_default());
            }
            let written = match cell {
                Cell::Null => serde_json::to_writer(&mut *row, &()),
                Cell::Int(value) => serde_json::to_writer(&mut *row, value),
                // A number that is not finite becomes null.
                Cell::Real(value) => serde_json::to_writer(&mut *row, value),
                Cell::Text(text) => serde_json::to_writer(&mut *row, text),
            };
            written.map_err(std::io::Error::from)?;
        }
        row.push(close);
        Ok(())
    }
}

/// The names of the columns, with `_2`, `_3` … behind one that an earlier column has.
fn unique_names(columns: &[AnswerColumn]) -> Vec<String> {
    let given: BTreeSet<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let mut taken = BTreeSet::new();
    let name = |column: &AnswerColumn| {
        let mut name = column.name.clone();
        let mut number = 2_u32;
        while !taken.insert(name.clone()) {
            // Not a name that the statement itself gives to a later column.
            loop {
                name = format!("{}_{number}", column.name);
                number = number.saturating_add(1);
                if !given.contains(name.as_str()) {
                    break;
                }
            }
        }
        name
    };
    columns.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_occurs_again_gets_a_name_of_its_own() {
        let column = |name: &&str| AnswerColumn { name: (*name).to_owned(), kind: None, unit: String::new() };
        let check = |names: &[&str], expected: &[&str]| {
            assert_eq!(unique_names(&names.iter().map(column).collect::<Vec<_>>()), expected);
        };
        check(&["a", "b"], &["a", "b"]);
        check(&["a", "a", "a"], &["a", "a_2", "a_3"]);
        check(&["a", "a", "a_2", "A"], &["a", "a_3", "a_2", "A"]);
        check(&["", ""], &["", "_2"]);
    }

    #[test]
    fn objects_and_lines_have_all_values_of_a_row() {
        let column = |name: &str| AnswerColumn { name: name.to_owned(), kind: None, unit: String::new() };
        let columns = [column("a\"b"), column("n"), column("n")];
        let cells = || vec![Cell::Text("x\ny".to_owned()), Cell::Real(f64::NAN), Cell::Int(-3)];
        let mut out = Vec::new();
        let mut lines = Lines::new(&mut out);
        lines.begin(&columns).unwrap();
        lines.row(cells()).unwrap();
        lines.row(cells()).unwrap();
        let line = "{\"a\\\"b\":\"x\\ny\",\"n\":null,\"n_2\":-3}\n";
        assert_eq!(String::from_utf8(out).unwrap(), line.repeat(2));

        let document = |mut rows: Json<&mut Vec<u8>>| {
            rows.begin(&columns).unwrap();
            rows.row(cells()).unwrap();
            rows.finish(false).unwrap();
        };
        let (mut arrays, mut objects) = (Vec::new(), Vec::new());
        document(Json::new(&mut arrays));
        document(Json::of_objects(&mut objects));
        let mut arrays: Value = serde_json::from_slice(&arrays).unwrap();
        let objects: Value = serde_json::from_slice(&objects).unwrap();
        arrays["rows"] = json!([{"a\"b": "x\ny", "n": null, "n_2": -3}]);
        assert_eq!(objects, arrays);
    }
}
