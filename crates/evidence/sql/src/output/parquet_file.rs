//! Answers as Parquet: every column optional, snappy, dictionaries for texts.
//!
//! Times stay integers of nanoseconds under their own names, since some readers refuse timestamps finer than
//! microseconds; a column `ts` of microseconds since 1970 stands beside `ts_ns` where the session's start is known.

use super::text::real;
use crate::Error;
use crate::answer::{Answer, Cell};
use model::Type;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type as Schema, TypePtr};
use std::io::Write;
use std::sync::Arc;

/// Rows of a row group.
const GROUP: usize = 1 << 20;

/// A column of the file.
struct Field {
    name: String,
    source: usize,
    shape: ColumnType,
}

#[derive(Clone, Copy)]
enum ColumnType {
    Integer,
    Real,
    Text,
    /// Microseconds since 1970 of a session that began so.
    Moment(i64),
}

/// Writes an answer as Parquet. With the session's start, in microseconds since 1970, `ts_ns` is written as a date and time too.
pub fn write_parquet(
    answer: &Answer,
    out: impl Write + Send,
    start_utc_micros: Option<i64>,
) -> Result<(), Error> {
    let fields = fields(answer, start_utc_micros);
    let schema = schema(&fields)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
    for rows in answer.rows.chunks(GROUP) {
        let mut group = writer.next_row_group()?;
        for field in &fields {
            write_field(&mut group, field, rows)?;
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

fn fields(answer: &Answer, start: Option<i64>) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for (source, column) in answer.columns.iter().enumerate() {
        let mut name = column.name.clone();
        let mut copy = 1_usize;
        while fields.iter().any(|field| field.name == name) {
            copy = copy.saturating_add(1);
            name = format!("{}_{copy}", column.name);
        }
        let shape = match answer.kind(source) {
            Type::Integer => ColumnType::Integer,
            Type::Real => ColumnType::Real,
            Type::Text => ColumnType::Text,
        };
        fields.push(Field { name, source, shape });
    }
    let ts_ns =
        fields.iter().find(|field| field.name == "ts_ns" && matches!(field.shape, ColumnType::Integer));
    let free = fields.iter().all(|field| field.name != "ts");
    if let (Some(start), Some(source), true) = (start, ts_ns.map(|field| field.source), free) {
        fields.push(Field { name: "ts".to_owned(), source, shape: ColumnType::Moment(start) });
    }
    fields
}

fn schema(fields: &[Field]) -> Result<TypePtr, Error> {
    let mut columns = Vec::new();
    for field in fields {
        let (physical, logical) = match field.shape {
            ColumnType::Integer => (Physical::INT64, None),
            ColumnType::Real => (Physical::DOUBLE, None),
            ColumnType::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            ColumnType::Moment(_) => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        };
        let column = Schema::primitive_type_builder(&field.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()?;
        columns.push(Arc::new(column));
    }
    Ok(Arc::new(Schema::group_type_builder("answer").with_fields(columns).build()?))
}

fn write_field<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    field: &Field,
    rows: &[Vec<Cell>],
) -> Result<(), Error> {
    let cells = rows.iter().map(|row| row.get(field.source).unwrap_or(&Cell::Null));
    match field.shape {
        ColumnType::Integer => write_column::<Int64Type, _>(group, cells.map(integer)),
        ColumnType::Real => write_column::<DoubleType, _>(group, cells.map(number)),
        ColumnType::Text => write_column::<ByteArrayType, _>(group, cells.map(text)),
        ColumnType::Moment(start) => {
            let moment = |ts_ns: i64| start.checked_add(ts_ns.div_euclid(1000));
            write_column::<Int64Type, _>(group, cells.map(|cell| integer(cell).and_then(moment)))
        }
    }
}

fn write_column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<(), Error> {
    let mut present = Vec::new();
    let mut levels = Vec::new();
    for value in values {
        levels.push(i16::from(value.is_some()));
        present.extend(value);
    }
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<T>().write_batch(&present, Some(&levels), None)?;
    column.close()?;
    Ok(())
}

fn integer(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Int(value) => Some(*value),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a column with any number that is not an integer has doubles")]
fn number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Int(value) => Some(*value as f64),
        Cell::Real(value) => Some(*value),
        Cell::Null | Cell::Text(_) => None,
    }
}

fn text(cell: &Cell) -> Option<ByteArray> {
    match cell {
        Cell::Null => None,
        Cell::Int(value) => Some(value.to_string().as_str().into()),
        Cell::Real(value) => Some(real(*value).as_str().into()),
        Cell::Text(text) => Some(text.as_str().into()),
    }
}
