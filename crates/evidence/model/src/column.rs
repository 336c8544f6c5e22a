//! A column as everything outside sees it: typed values by row number, without regard to how they are kept.

use crate::strings::{Strings, Sym};
use std::borrow::Cow;

/// No number, in a column of integers.
pub const NO_INT: i64 = i64::MIN;
/// No row, in a column that refers to rows of a table.
pub const NO_ID: u32 = u32::MAX;

/// A value of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// An integer.
    Int(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(Cow<'a, str>),
}

/// A column whose values are worked out when asked for.
pub trait ComputedColumn {
    /// The value at a row; none for null.
    fn text(&self, row: usize) -> Option<String>;
}

/// The values of a column.
#[derive(Clone, Copy)]
pub enum Column<'a> {
    /// The row's own number.
    Row,
    /// Integers.
    Int(&'a [i64]),
    /// Numbers of rows of some table.
    Id(&'a [u32]),
    /// Small integers, never null.
    Small(&'a [u16]),
    /// Numbers.
    Real(&'a [f64]),
    /// Texts.
    Text(&'a [Sym], &'a Strings),
    /// Identifiers of 16 bytes, written as lower-case GUIDs.
    Guid(&'a [[u8; 16]]),
    /// Integers of another list, by number.
    IntVia(&'a [u32], &'a [i64]),
    /// Texts of another list, by number.
    TextVia(&'a [u32], &'a [Sym], &'a Strings),
    /// Identifiers of another list, by number.
    GuidVia(&'a [u32], &'a [[u8; 16]]),
    /// Worked out row by row.
    Computed(&'a dyn ComputedColumn),
}

impl std::fmt::Debug for Column<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Column")
    }
}

impl<'a> Column<'a> {
    /// The value at a row; null behind the last one.
    pub fn value(&self, row: usize) -> Value<'a> {
        match *self {
            Self::Row => Value::Int(i64::try_from(row).unwrap_or(i64::MAX)),
            Self::Int(list) => int(list.get(row)),
            Self::Id(list) => match list.get(row) {
                Some(&NO_ID) | None => Value::Null,
                Some(id) => Value::Int(i64::from(*id)),
            },
            Self::Small(list) => list.get(row).map_or(Value::Null, |value| Value::Int(i64::from(*value))),
            Self::Real(list) => match list.get(row) {
                Some(value) if !value.is_nan() => Value::Real(*value),
                _ => Value::Null,
            },
            Self::Text(list, strings) => text(list.get(row), strings),
            Self::Guid(list) => guid(list.get(row)),
            Self::IntVia(ids, list) => int(via(ids, list, row)),
            Self::TextVia(ids, list, strings) => text(via(ids, list, row), strings),
            Self::GuidVia(ids, list) => guid(via(ids, list, row)),
            Self::Computed(column) => {
                column.text(row).map_or(Value::Null, |text| Value::Text(Cow::Owned(text)))
            }
        }
    }
}

/// An integer that may be missing, as a column keeps it.
pub fn or_none(value: Option<i64>) -> i64 {
    value.unwrap_or(NO_INT)
}

fn via<'a, T>(ids: &[u32], list: &'a [T], row: usize) -> Option<&'a T> {
    list.get(*ids.get(row)? as usize)
}

fn int<'a>(value: Option<&i64>) -> Value<'a> {
    match value {
        Some(&NO_INT) | None => Value::Null,
        Some(value) => Value::Int(*value),
    }
}

fn text<'a>(sym: Option<&Sym>, strings: &'a Strings) -> Value<'a> {
    sym.and_then(|sym| strings.get(*sym)).map_or(Value::Null, |text| Value::Text(Cow::Borrowed(text)))
}

fn guid<'a>(bytes: Option<&[u8; 16]>) -> Value<'a> {
    bytes.map_or(Value::Null, |bytes| Value::Text(Cow::Owned(guid_text(bytes))))
}

/// A GUID as .NET writes it: the first three groups are little-endian numbers.
pub fn guid_text(b: &[u8; 16]) -> String {
    format!(
        "{:02x}{:02x}{:02x}{:02x}-{:02x}{:02x}-{:02x}{:02x}-{:02x}{:02x}-{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}",
        b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]
    )
}
