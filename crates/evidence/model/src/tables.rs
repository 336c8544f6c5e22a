//! The machinery of tables, for every kind of evidence.
//!
//! A table is declared once, by `table!`: columns, rows, its entry in the catalogue and what SQL sees follow from that.
//! The kinds of its columns also say what the table is sorted by (`time`) and which column refers to stacks (`stack`).
//! `kind` joins the tables of a kind.

use crate::column::Column;
use crate::strings::Strings;

/// The type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// 64 bits, signed.
    Integer,
    /// Double precision.
    Real,
    /// UTF-8.
    Text,
}

impl Type {
    /// Its name in the catalogue and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
        }
    }
}

/// A column of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// The unit of its values; empty if they have none.
    pub unit: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// A table of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSpec {
    /// Its name.
    pub name: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// Its columns.
    pub columns: &'static [ColumnSpec],
}

/// A table with its rows.
#[derive(Debug)]
pub struct Table<'a> {
    /// Its entry in the catalogue.
    pub spec: &'static TableSpec,
    /// How many rows it has.
    pub rows: usize,
    /// Its columns, as in the catalogue.
    pub columns: Vec<Column<'a>>,
    /// The column whose values never descend from row to row, if there is one.
    pub ascending: Option<usize>,
}

/// What the tables of an exhibit refer to by number.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'a> {
    /// Texts.
    pub strings: &'a Strings,
    /// Threads, as the operating system numbers them.
    pub thread_ids: &'a [i64],
    /// The process of each thread; empty if the exhibit is of one process.
    pub thread_processes: &'a [i64],
    /// Activities: identifiers of 16 bytes.
    pub activities: &'a [[u8; 16]],
}

/// The rows of one table, whatever its columns.
pub trait TableRows {
    /// Its entry in the catalogue.
    fn spec(&self) -> &'static TableSpec;
    /// How many rows there are.
    fn rows(&self) -> usize;
    /// The columns, as in the catalogue.
    fn columns<'a>(&'a self, shared: Shared<'a>) -> Vec<Column<'a>>;
    /// Bytes that the rows take.
    fn size_bytes(&self) -> usize;
    /// The column that the rows are sorted by, if there is one.
    fn ascending(&self) -> Option<usize> {
        None
    }
    /// Sorts the rows by time, if they have a time; rows of equal time keep their order.
    fn sort_by_time(&mut self) {}
}

/// A table for whoever sees columns only.
pub(crate) fn whole<'a>(rows: &'a dyn TableRows, shared: Shared<'a>) -> Table<'a> {
    Table { spec: rows.spec(), rows: rows.rows(), columns: rows.columns(shared), ascending: rows.ascending() }
}

/// Brings a column into the order given.
pub(crate) fn permute<T: Copy>(column: &mut Vec<T>, order: &[u32]) {
    *column = order.iter().filter_map(|row| column.get(*row as usize).copied()).collect();
}

/// The order that sorts a column of times: `None` if it is sorted. Equal times keep their order.
pub(crate) fn order_of(times: &[i64]) -> Option<Vec<u32>> {
    if times.is_sorted() {
        return None;
    }
    let mut order: Vec<u32> = (0u32..).zip(times).map(|(row, _)| row).collect();
    order.sort_by_key(|row| times.get(*row as usize));
    Some(order)
}

/// A column of stacks with what `rename` returns for each stack and the time of its row.
pub(crate) fn renamed<S, To>(
    stacks: Vec<Option<S>>,
    times: &[i64],
    mut rename: impl FnMut(Option<S>, i64) -> Option<To>,
) -> Vec<Option<To>> {
    stacks.into_iter().zip(times).map(|(stack, ts_ns)| rename(stack, *ts_ns)).collect()
}

/// The place of the first `true`.
pub(crate) const fn first_true(list: &[bool]) -> Option<usize> {
    let mut at = 0;
    while at < list.len() {
        if list[at] {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// What a kind of column is stored as, is in SQL, and is for.
macro_rules! column_kind {
    (stored time) => {
        i64
    };
    (stored int) => {
        i64
    };
    (stored stack) => {
        Option<S>
    };
    (stored thread) => {
        $crate::ThreadId
    };
    (stored guid) => {
        Option<$crate::ActivityId>
    };
    (stored real) => {
        f64
    };
    (stored text) => {
        $crate::strings::Sym
    };
    (blank time) => {
        0
    };
    (blank int) => {
        $crate::NO_INT
    };
    (blank stack) => {
        None
    };
    (blank thread) => {
        $crate::ThreadId::FIRST
    };
    (blank guid) => {
        None
    };
    (blank real) => {
        f64::NAN
    };
    (blank text) => {
        $crate::Sym::NONE
    };
    (sql guid) => {
        $crate::tables::Type::Text
    };
    (sql text) => {
        $crate::tables::Type::Text
    };
    (sql real) => {
        $crate::tables::Type::Real
    };
    (sql $integer:tt) => {
        $crate::tables::Type::Integer
    };
    (column thread $list:expr, $shared:ident) => {
        $crate::Column::IntVia($crate::Ids::Thread(&$list), $shared.thread_ids)
    };
    (column guid $list:expr, $shared:ident) => {
        $crate::Column::GuidVia($crate::Ids::Activity(&$list), $shared.activities)
    };
    (column real $list:expr, $shared:ident) => {
        $crate::Column::Real(&$list)
    };
    (column text $list:expr, $shared:ident) => {
        $crate::Column::Text(&$list, $shared.strings)
    };
    (column stack $list:expr, $shared:ident) => {
        $crate::Column::Id($crate::Ids::Stack(&$list))
    };
    (column $integer:tt $list:expr, $shared:ident) => {
        $crate::Column::Int(&$list)
    };
    (is_time time) => {
        true
    };
    (is_time $other:tt) => {
        false
    };
    (times time $list:expr) => {
        Some(&mut $list)
    };
    (times $other:tt $list:expr) => {
        None::<&mut Vec<i64>>
    };
    (times_of time $list:ident) => {
        Some($list.as_slice())
    };
    (times_of $other:tt $list:ident) => {
        None::<&[i64]>
    };
    (rename stack $list:ident, $times:ident, $rename:ident) => {
        let $list = $crate::tables::renamed($list, $times, $rename);
    };
    (rename $other:tt $list:ident, $times:ident, $rename:ident) => {};
}

/// The name of a column: its field's, unless it has another one.
macro_rules! column_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $column:literal) => {
        $column
    };
}

/// An entry of the catalogue, for a table whose rows are written by hand.
macro_rules! spec {
    ($name:literal, $about:literal;
     $($field:ident $(($column:literal))? $kind:ident $unit:literal $what:literal)*
     $(; process of $thread:ident)?) => {
        $crate::tables::TableSpec {
            name: $name,
            about: $about,
            columns: &[$($crate::tables::ColumnSpec {
                name: $crate::tables::column_name!($field $($column)?),
                kind: $crate::tables::column_kind!(sql $kind),
                unit: $unit,
                about: $what,
            },)* $($crate::tables::process_of!($thread),)?],
        }
    };
}

/// The column `process` in the catalogue. It takes no memory: the process is that of the row's thread.
macro_rules! process_of {
    ($thread:ident) => {
        $crate::tables::ColumnSpec {
            name: "process",
            kind: $crate::tables::Type::Integer,
            unit: "",
            about: "The process that it is of; null if the recording is of one process",
        }
    };
}

/// Declares a table: its rows, its columns, its entry in the catalogue.
///
/// The kinds of columns: `time` (nanoseconds since the exhibit's start; the table is sorted by it; one at most), `int`,
/// `real`, `text`, `stack` (one at most), `thread` and `guid` (by id, see [`Shared`]). With `; process of COLUMN` at the
/// end it has a last column `process`: that of the thread in the column.
///
/// A table with a column of stacks is declared as `Rows<S>`: `S` is what its rows refer to. In a trace that is a row of
/// `stacks`, as by default; whoever reads a recording has ids of its own until the stacks are complete.
macro_rules! table {
    ($rows:ident<S>, $row:ident, $name:literal, $about:literal;
     $($field:ident $(($column:literal))? $kind:ident $unit:literal $what:literal)*
     $(; process of $thread:ident)?) => {
        $crate::tables::table! { @ $rows (S), $row, $name, $about;
            $($field $(($column))? $kind $unit $what)* $(; process of $thread)? }
        impl<S> $rows<S> {
            /// The same rows, each with the stack that `rename` returns for its stack and its time.
            pub fn rename_stacks<To>(self, rename: impl FnMut(Option<S>, i64) -> Option<To>) -> $rows<To> {
                let Self { $($field),* } = self;
                let times = None::<&[i64]>$(.or($crate::tables::column_kind!(times_of $kind $field)))*;
                let times = times.unwrap_or_default();
                $($crate::tables::column_kind!(rename $kind $field, times, rename);)*
                $rows { $($field),* }
            }
        }
    };
    ($rows:ident, $($rest:tt)*) => {
        $crate::tables::table! { @ $rows (), $($rest)* }
    };
    (@ $rows:ident ($($stack:ident)?), $row:ident, $name:literal, $about:literal;
     $($field:ident $(($column:literal))? $kind:ident $unit:literal $what:literal)*
     $(; process of $thread:ident)?) => {
        #[doc = concat!("A row of `", $name, "`.")]
        pub struct $row<$($stack = $crate::StackId)?> {
            $(#[doc = $what] pub $field: $crate::tables::column_kind!(stored $kind)),*
        }
        #[cfg(any(test, feature = "made"))]
        impl<$($stack)?> $row<$($stack)?> {
            /// A row that a test fills: at time 0, of the first thread, everything else null.
            pub fn blank() -> Self {
                Self { $($field: $crate::tables::column_kind!(blank $kind)),* }
            }
        }
        // By hand, since no derive takes a macro for a type where there is a parameter.
        impl<$($stack: Copy)?> Copy for $row<$($stack)?> {}
        #[allow(clippy::expl_impl_clone_on_copy, reason = "rows without a parameter could derive it")]
        impl<$($stack: Copy)?> Clone for $row<$($stack)?> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<$($stack: PartialEq)?> PartialEq for $row<$($stack)?> {
            fn eq(&self, other: &Self) -> bool {
                $(self.$field == other.$field)&&*
            }
        }
        impl<$($stack: std::fmt::Debug)?> std::fmt::Debug for $row<$($stack)?> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($row))$(.field(stringify!($field), &self.$field))*.finish()
            }
        }
        #[doc = $about]
        pub struct $rows<$($stack = $crate::StackId)?> {
            $(#[doc = $what] pub $field: Vec<$crate::tables::column_kind!(stored $kind)>),*
        }
        impl<$($stack)?> Default for $rows<$($stack)?> {
            fn default() -> Self {
                Self { $($field: Vec::new()),* }
            }
        }
        impl<$($stack: std::fmt::Debug)?> std::fmt::Debug for $rows<$($stack)?> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($rows))$(.field(stringify!($field), &self.$field))*.finish()
            }
        }
        impl<$($stack: Copy)?> $rows<$($stack)?> {
            const TIME: Option<usize> = $crate::tables::first_true(&[$($crate::tables::column_kind!(is_time $kind)),*]);
            /// Adds a row.
            pub fn push(&mut self, row: $row<$($stack)?>) {
                $(self.$field.push(row.$field);)*
            }
            /// The row of a number.
            pub fn row(&self, at: usize) -> Option<$row<$($stack)?>> {
                Some($row { $($field: *self.$field.get(at)?),* })
            }
            /// Takes the rows behind the first `len` away.
            pub fn truncate(&mut self, len: usize) {
                $(self.$field.truncate(len);)*
            }
            /// Brings the rows into the order given: the row numbers, each once.
            pub fn reorder(&mut self, order: &[u32]) {
                $($crate::tables::permute(&mut self.$field, order);)*
            }
            /// Sorts the rows by time, if they have a time; rows of equal time keep their order.
            pub fn sort_by_time(&mut self) {
                let times = None::<&mut Vec<i64>>$(.or($crate::tables::column_kind!(times $kind self.$field)))*;
                if let Some(order) = times.and_then(|times| $crate::tables::order_of(times)) {
                    self.reorder(&order);
                }
            }
            /// Bytes that the rows take.
            pub fn size_bytes(&self) -> usize {
                0 $(+ size_of_val(self.$field.as_slice()))*
            }
        }
        impl $rows {
            /// The catalogue's entry.
            pub const SPEC: $crate::tables::TableSpec = $crate::tables::spec! {
                $name, $about; $($field $(($column))? $kind $unit $what)* $(; process of $thread)?
            };
        }
        impl $crate::tables::TableRows for $rows {
            fn spec(&self) -> &'static $crate::tables::TableSpec {
                &Self::SPEC
            }
            fn rows(&self) -> usize {
                // Every table has a column.
                [$(self.$field.len()),*].into_iter().max().unwrap_or(0)
            }
            fn columns<'a>(&'a self, shared: $crate::tables::Shared<'a>) -> Vec<$crate::Column<'a>> {
                let _ = shared;
                vec![
                    $($crate::tables::column_kind!(column $kind self.$field, shared),)*
                    $($crate::Column::IntVia($crate::Ids::Thread(&self.$thread), shared.thread_processes),)?
                ]
            }
            fn size_bytes(&self) -> usize {
                self.size_bytes()
            }
            fn ascending(&self) -> Option<usize> {
                Self::TIME
            }
            fn sort_by_time(&mut self) {
                self.sort_by_time();
            }
        }
    };
}

pub(crate) use {column_kind, column_name, process_of, spec, table};

#[cfg(test)]
#[expect(unreachable_pub, reason = "the declarations make public tables")]
mod tests {
    use super::*;
    use crate::{NO_INT, StackId};

    table! { Things<S>, ThingRow, "things",
        "A thing of these tests.";
        number int "" "Which one"
        at ("ts_ns") time "ns" "When"
        stack stack "" "Where"
    }

    #[test]
    fn a_declaration_makes_the_catalogue_the_order_and_the_column_of_stacks() {
        let mut things: Things<&str> = Things::default();
        for (number, at, stack) in [(1, 30, None), (2, 10, Some("main")), (3, 10, Some("worker"))] {
            things.push(ThingRow { number, at, stack });
        }
        things.sort_by_time();
        assert_eq!(things.number, [2, 3, 1], "rows of equal time keep their order");
        let mut seen = Vec::new();
        let mut things = things.rename_stacks(|stack, at| {
            seen.push((stack, at));
            stack.map(|_| StackId::FIRST)
        });
        assert_eq!(seen, [(Some("main"), 10), (Some("worker"), 10), (None, 30)]);
        assert_eq!(things.row(1), Some(ThingRow { number: 3, at: 10, stack: Some(StackId::FIRST) }));
        assert_eq!(things.row(2), Some(ThingRow { number: 1, at: 30, stack: None }));
        assert_eq!(ThingRow::blank(), ThingRow { number: NO_INT, at: 0, stack: None::<StackId> });
        let names: Vec<&str> = Things::SPEC.columns.iter().map(|column| column.name).collect();
        assert_eq!((names, things.ascending()), (vec!["number", "ts_ns", "stack"], Some(1)));
        things.truncate(1);
        assert_eq!((things.rows(), things.number.as_slice()), (1, [2].as_slice()));
    }
}
