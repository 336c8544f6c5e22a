//! Requests as Parquet: a row for each, in groups of a limited size.
//!
//! Pages are not compressed, and times are encoded as differences, which makes them small enough. So nothing in the file unpacks to
//! more than it is, and a reader can check how many rows there may be: the column `end_ns`, which every row has, takes eight bytes for
//! each. DuckDB and pyarrow read all of these encodings.

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type as Schema};
use std::io::{self, Write};
use std::sync::Arc;

/// Rows of a group: some 10 MB while they are gathered.
const GROUP: usize = 1 << 17;

/// The columns of integers before the outcome, and those behind it.
const BEFORE: [&str; 5] = ["planned_ns", "sent_ns", "first_byte_ns", "end_ns", "connection"];
const OUTCOME: &str = "outcome";
const AFTER: [&str; 3] = ["status", "bytes", "request"];

/// The column that every row has.
const ALWAYS: &str = "end_ns";

/// Writes requests, group by group.
pub(super) struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    /// The values of each column of integers, in order.
    numbers: [Vec<Option<i64>>; BEFORE.len() + AFTER.len()],
    outcomes: Vec<Option<ByteArray>>,
}

impl<W: Write + Send> Writer<W> {
    /// Writes the beginning.
    pub(super) fn begin(out: W) -> io::Result<Self> {
        let column = |name: &str, physical, logical| {
            let of = Schema::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
            of.with_logical_type(logical).build().map(Arc::new)
        };
        let mut columns = Vec::new();
        for name in BEFORE {
            columns.push(column(name, Physical::INT64, None).map_err(failed)?);
        }
        let text = column(OUTCOME, Physical::BYTE_ARRAY, Some(LogicalType::String));
        columns.push(text.map_err(failed)?);
        for name in AFTER {
            columns.push(column(name, Physical::INT64, None).map_err(failed)?);
        }
        let schema = Schema::group_type_builder("requests").with_fields(columns).build().map_err(failed)?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_created_by(concat!("casebook ", env!("CARGO_PKG_VERSION")).to_owned());
        for name in BEFORE.iter().chain(&AFTER) {
            let encoding = if *name == ALWAYS { Encoding::PLAIN } else { Encoding::DELTA_BINARY_PACKED };
            let path = ColumnPath::from(*name);
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, encoding);
        }
        let file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties.build()));
        let file = file.map_err(failed)?;
        Ok(Self { file, numbers: Default::default(), outcomes: Vec::new() })
    }

    /// Adds a line of the text: numbers and a word, between commas.
    pub(super) fn add(&mut self, line: &str) -> io::Result<()> {
        let mut fields = line.split(',');
        let mut next = || fields.next().unwrap_or_default();
        for (at, column) in self.numbers.iter_mut().enumerate() {
            if at == BEFORE.len() {
                self.outcomes.push(Some(next().into()));
            }
            // An empty field has no number.
            column.push(next().parse().ok());
        }
        if self.outcomes.len() >= GROUP { self.write_group() } else { Ok(()) }
    }

    fn write_group(&mut self) -> io::Result<()> {
        let mut group = self.file.next_row_group().map_err(failed)?;
        for (at, column) in self.numbers.iter_mut().enumerate() {
            if at == BEFORE.len() {
                write_column::<ByteArrayType, W>(&mut group, &mut self.outcomes)?;
            }
            write_column::<Int64Type, W>(&mut group, column)?;
        }
        group.close().map(drop).map_err(failed)
    }

    /// Writes what is left, and the end. Returns where it was written.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.outcomes.is_empty() {
            self.write_group()?;
        }
        self.file.into_inner().map_err(failed)
    }
}

fn write_column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &mut Vec<Option<T::T>>,
) -> io::Result<()> {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let present: Vec<T::T> = values.drain(..).flatten().collect();
    let Some(mut column) = group.next_column().map_err(failed)? else { return Ok(()) };
    column.typed::<T>().write_batch(&present, Some(&levels), None).map_err(failed)?;
    column.close().map_err(failed)
}

/// What the disk said, if it was the disk.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        error => io::Error::other(error),
    }
}
