//! A column as everything outside sees it: typed values by row number, without regard to how they are kept.

use crate::ids::{ActivityId, FrameId, Id, KindId, StackId, ThreadId};
use crate::strings::{Strings, Sym};
use base::number::saturated;
use std::borrow::Cow;

/// No number, in a column of integers.
pub const NO_INT: i64 = i64::MIN;

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

/// A column of ids, of any type.
#[derive(Debug, Clone, Copy)]
pub enum Ids<'a> {
    /// Of stacks.
    Stack(&'a [Option<StackId>]),
    /// Of frames.
    Frame(&'a [FrameId]),
    /// Of threads.
    Thread(&'a [ThreadId]),
    /// Of activities.
    Activity(&'a [Option<ActivityId>]),
    /// Of kinds of events.
    Kind(&'a [KindId]),
}

impl Ids<'_> {
    /// The number of the row that a row refers to; `None` for null, and behind the last row.
    #[inline]
    pub fn number(&self, row: usize) -> Option<u32> {
        match self {
            Self::Stack(list) => list.get(row).copied().flatten().map(Id::number),
            Self::Frame(list) => list.get(row).copied().map(Id::number),
            Self::Thread(list) => list.get(row).copied().map(Id::number),
            Self::Activity(list) => list.get(row).copied().flatten().map(Id::number),
            Self::Kind(list) => list.get(row).copied().map(Id::number),
        }
    }

    /// How many rows the column has.
    pub fn rows(&self) -> usize {
        match self {
            Self::Stack(list) => list.len(),
            Self::Frame(list) => list.len(),
            Self::Thread(list) => list.len(),
            Self::Activity(list) => list.len(),
            Self::Kind(list) => list.len(),
        }
    }
}

/// The values of a column.
#[derive(Clone, Copy)]
pub enum Column<'a> {
    /// The row's own number.
    Row,
    /// Integers.
    Int(&'a [i64]),
    /// Rows of another table.
    Id(Ids<'a>),
    /// Counts, never null.
    Count(&'a [u32]),
    /// Small integers, never null.
    Small(&'a [u16]),
    /// Numbers.
    Real(&'a [f64]),
    /// Texts.
    Text(&'a [Sym], &'a Strings),
    /// Identifiers of 16 bytes, written as lower-case GUIDs.
    Guid(&'a [[u8; 16]]),
    /// Integers of another list, by id.
    IntVia(Ids<'a>, &'a [i64]),
    /// Texts of another list, by id.
    TextVia(Ids<'a>, &'a [Sym], &'a Strings),
    /// Identifiers of another list, by id.
    GuidVia(Ids<'a>, &'a [[u8; 16]]),
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
            Self::Row => Value::Int(saturated(row)),
            Self::Int(list) => int(list.get(row)),
            Self::Id(ids) => ids.number(row).map_or(Value::Null, |number| Value::Int(i64::from(number))),
            Self::Count(list) => list.get(row).map_or(Value::Null, |value| Value::Int(i64::from(*value))),
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

fn via<'a, T>(ids: Ids<'_>, list: &'a [T], row: usize) -> Option<&'a T> {
    list.get(ids.number(row)? as usize)
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
