//! Rows in the order of a column's keys, made when a column is looked up again and again.
//!
//! A join without such an order would scan the inner table once a row of the outer one. Equal values have equal keys:
//! an integer itself, the number of a text, the bits of a number, the bytes of a GUID. Rows of one key stay in their
//! own order; nulls are left out.

use model::{Column, NO_INT, Sym};
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// From which look-up of a column on an order is worth its making.
const WORTH_IT: u32 = 3;

/// What equal values of a column share.
pub(crate) type Key = i128;

/// The rows of a table in the order of a column's keys.
#[derive(Debug)]
pub(crate) struct Index {
    keys: Vec<Key>,
    rows: Vec<u32>,
}

impl Index {
    fn new(column: &Column<'_>, rows: usize) -> Option<Self> {
        let rows = u32::try_from(rows).ok()?;
        let mut pairs: Vec<(Key, u32)> =
            (0..rows).filter_map(|row| Some((key_at(column, row as usize)?, row))).collect();
        pairs.sort_unstable();
        Some(Self {
            keys: pairs.iter().map(|(key, _)| *key).collect(),
            rows: pairs.iter().map(|(_, row)| *row).collect(),
        })
    }

    /// The places of the rows of a key, where the rows themselves lie within `within`.
    pub(crate) fn places(&self, key: Key, within: &Range<usize>) -> Range<usize> {
        let start = self.keys.partition_point(|other| *other < key);
        let end = self.keys.partition_point(|other| *other <= key);
        let rows = self.rows.get(start..end).unwrap_or_default();
        let from = rows.partition_point(|row| (*row as usize) < within.start);
        let to = rows.partition_point(|row| (*row as usize) < within.end);
        start + from..start + to.max(from)
    }

    /// The row at a place.
    #[inline]
    pub(crate) fn row(&self, place: usize) -> usize {
        self.rows.get(place).map_or(usize::MAX, |row| *row as usize)
    }
}

#[derive(Debug, Default)]
struct Entry {
    lookups: u32,
    index: Option<Arc<Index>>,
}

/// The orders of a table's columns, by the column's number.
#[derive(Debug, Default)]
pub(crate) struct Indexes(Mutex<FxHashMap<usize, Entry>>);

impl Indexes {
    /// Counts a look-up of a column; gives its order from the third one on.
    pub(crate) fn looked_up(&self, number: usize, column: &Column<'_>, rows: usize) -> Option<Arc<Index>> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(number).or_default();
        entry.lookups = entry.lookups.saturating_add(1);
        if entry.lookups >= WORTH_IT && entry.index.is_none() {
            entry.index = Index::new(column, rows).map(Arc::new);
        }
        entry.index.clone()
    }
}

/// The key of a row: none for null, and in columns without keys.
fn key_at(column: &Column<'_>, row: usize) -> Option<Key> {
    let int = |value: &i64| (*value != NO_INT).then_some(Key::from(*value));
    let sym = |sym: &Sym| (*sym != Sym::NONE).then_some(Key::from(sym.0));
    match *column {
        Column::Int(list) => list.get(row).and_then(int),
        Column::Id(ids) => ids.number(row).map(Key::from),
        Column::Count(list) => list.get(row).map(|value| Key::from(*value)),
        Column::Small(list) => list.get(row).map(|value| Key::from(*value)),
        Column::Real(list) => list.get(row).filter(|value| !value.is_nan()).map(|value| real_key(*value)),
        Column::Text(list, _) => list.get(row).and_then(sym),
        Column::Guid(list) => list.get(row).map(guid_key),
        Column::IntVia(ids, list) => list.get(ids.number(row)? as usize).and_then(int),
        Column::TextVia(ids, list, _) => list.get(ids.number(row)? as usize).and_then(sym),
        Column::GuidVia(ids, list) => list.get(ids.number(row)? as usize).map(guid_key),
        Column::Row | Column::Computed(_) => None,
    }
}

/// The key of a number; both zeros have one.
pub(crate) fn real_key(value: f64) -> Key {
    Key::from((value + 0.0).to_bits())
}

/// The key of a GUID.
pub(crate) fn guid_key(guid: &[u8; 16]) -> Key {
    Key::from_le_bytes(*guid)
}
