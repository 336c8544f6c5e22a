//! Comparisons made ready to be tried row by row.
//!
//! Nothing here drops a row that SQLite would keep. Where SQLite would first convert a value (a text against a number),
//! or the column is worked out row by row, every row passes.

use crate::index::{Key, guid_key, real_key};
use crate::plan::Op;
use model::{Column, Ids, NO_INT, Sym, Value};
use rustc_hash::FxHashSet;
use std::borrow::Cow;

/// 2 to the 63rd, the first number beyond the integers.
const BEYOND: f64 = 9_223_372_036_854_775_808.0;
/// Up to 2 to the 53rd every integer is a number of double precision.
const EXACT: u64 = 1 << 53;

/// What a column is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand<'v> {
    /// A value.
    One(Value<'v>),
    /// Any of these values.
    Any(Vec<Value<'static>>),
    /// Something that only SQLite can compare.
    Opaque,
}

/// Integers that pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bounds {
    /// All, and nulls: SQLite decides.
    Undecided,
    /// Those from the first to the second, both included; none if they are the wrong way round.
    Within(i64, i64),
}

impl Bounds {
    pub(crate) const EMPTY: Self = Self::Within(1, 0);
}

/// The outcome of making a comparison ready.
pub(crate) enum Ready<'a> {
    /// Every row passes.
    All,
    /// No row passes.
    Nothing,
    /// Each row is tried.
    Try(Test<'a>),
}

/// A comparison to be tried on a row.
pub(crate) enum Test<'a> {
    Int(&'a [i64], i64, i64),
    Id(Ids<'a>, u32, u32),
    Count(&'a [u32], i64, i64),
    Small(&'a [u16], i64, i64),
    IntAny(Column<'a>, FxHashSet<i64>),
    Real(&'a [f64], Op, f64),
    Sym(&'a [Sym], Sym),
    SymAny(&'a [Sym], Vec<bool>),
    Guid(&'a [[u8; 16]], [u8; 16]),
    /// Which of the other list's values pass.
    Via(Ids<'a>, Vec<bool>),
    /// Whether an id that is beyond the other list, and so null, is wanted.
    ViaNull(Ids<'a>, Vec<bool>),
    SymNull(&'a [Sym], usize, bool),
    Null(Column<'a>, bool),
}

impl Test<'_> {
    /// Whether a row passes.
    #[inline]
    pub(crate) fn passes(&self, row: usize) -> bool {
        match self {
            Self::Int(list, low, high) => list.get(row).is_some_and(|v| v >= low && v <= high),
            Self::Id(ids, low, high) => ids.number(row).is_some_and(|id| (*low..=*high).contains(&id)),
            Self::Count(list, low, high) => {
                list.get(row).is_some_and(|v| (*low..=*high).contains(&i64::from(*v)))
            }
            Self::Small(list, low, high) => {
                list.get(row).is_some_and(|v| (*low..=*high).contains(&i64::from(*v)))
            }
            Self::IntAny(column, set) => {
                matches!(column.value(row), Value::Int(value) if set.contains(&value))
            }
            Self::Real(list, op, other) => list.get(row).is_some_and(|value| compare(*op, value, other)),
            Self::Sym(list, sym) => list.get(row) == Some(sym),
            Self::SymAny(list, wanted) => list.get(row).is_some_and(|sym| marked(wanted, sym.0)),
            Self::Guid(list, guid) => list.get(row) == Some(guid),
            Self::Via(ids, wanted) => ids.number(row).is_some_and(|id| marked(wanted, id)),
            Self::ViaNull(ids, present) => !ids.number(row).is_some_and(|id| marked(present, id)),
            Self::SymNull(list, known, wanted) => {
                list.get(row).is_none_or(|sym| sym.0 as usize >= *known) == *wanted
            }
            Self::Null(column, wanted) => (column.value(row) == Value::Null) == *wanted,
        }
    }
}

fn marked(marks: &[bool], at: u32) -> bool {
    marks.get(at as usize).copied().unwrap_or(false)
}

fn compare<T: PartialOrd + ?Sized>(op: Op, left: &T, right: &T) -> bool {
    match op {
        Op::Eq => left == right,
        Op::Gt => left > right,
        Op::Ge => left >= right,
        Op::Lt => left < right,
        Op::Le => left <= right,
        Op::In | Op::IsNull | Op::NotNull => true,
    }
}

/// Makes a comparison ready.
pub(crate) fn ready<'a>(column: Column<'a>, op: Op, operand: &Operand<'_>) -> Ready<'a> {
    match op {
        Op::IsNull => return null_test(column, true),
        Op::NotNull => return null_test(column, false),
        _ => {}
    }
    match operand {
        Operand::Opaque => Ready::All,
        Operand::Any(values) => any_of(column, values),
        Operand::One(Value::Null) => Ready::Nothing,
        Operand::One(value) => one(column, op, value),
    }
}

fn one<'a>(column: Column<'a>, op: Op, value: &Value<'_>) -> Ready<'a> {
    match column {
        Column::Text(list, strings) => match (op, value) {
            (Op::Eq, Value::Text(text)) => match strings.find(text) {
                Some(sym) => Ready::Try(Test::Sym(list, sym)),
                None => Ready::Nothing,
            },
            (_, Value::Text(text)) => {
                let wanted = |sym: u32| {
                    strings.get(Sym(sym)).is_some_and(|other| compare(op, other.as_bytes(), text.as_bytes()))
                };
                // Marking costs a comparison a text: worth it where texts repeat.
                if strings.len() > list.len() {
                    return Ready::All;
                }
                // Texts are numbered in 32 bits.
                let texts = u32::try_from(strings.len()).unwrap_or(u32::MAX);
                Ready::Try(Test::SymAny(list, (0..texts).map(wanted).collect()))
            }
            _ => Ready::All,
        },
        Column::TextVia(ids, list, strings) => match value {
            Value::Text(text) => via(ids, list, |sym| {
                strings.get(*sym).is_some_and(|other| compare(op, other.as_bytes(), text.as_bytes()))
            }),
            _ => Ready::All,
        },
        Column::Guid(list) => match (op, value) {
            (Op::Eq, Value::Text(text)) => match guid(text) {
                Some(guid) => Ready::Try(Test::Guid(list, guid)),
                None => Ready::Nothing,
            },
            _ => Ready::All,
        },
        Column::GuidVia(ids, list) => match (op, value) {
            (Op::Eq, Value::Text(text)) => match guid(text) {
                Some(guid) => via(ids, list, |other| *other == guid),
                None => Ready::Nothing,
            },
            _ => Ready::All,
        },
        Column::Real(list) => real(value).map_or(Ready::All, |value| Ready::Try(Test::Real(list, op, value))),
        _ => match bounds(op, value) {
            Bounds::Undecided => Ready::All,
            Bounds::Within(low, high) => within(column, low, high),
        },
    }
}

fn within(column: Column<'_>, low: i64, high: i64) -> Ready<'_> {
    if low > high {
        return Ready::Nothing;
    }
    let low = low.max(NO_INT.saturating_add(1));
    match column {
        Column::Int(list) => Ready::Try(Test::Int(list, low, high)),
        Column::Id(ids) => match (u32::try_from(low.max(0)), u32::try_from(high.min(i64::from(u32::MAX)))) {
            (Ok(low), Ok(high)) => Ready::Try(Test::Id(ids, low, high)),
            _ => Ready::Nothing,
        },
        Column::Count(list) => Ready::Try(Test::Count(list, low, high)),
        Column::Small(list) => Ready::Try(Test::Small(list, low, high)),
        Column::IntVia(ids, list) => via(ids, list, |value| (low..=high).contains(value)),
        _ => Ready::All,
    }
}

fn via<'a, T>(ids: Ids<'a>, list: &[T], wanted: impl Fn(&T) -> bool) -> Ready<'a> {
    let marks: Vec<bool> = list.iter().map(wanted).collect();
    if marks.contains(&true) { Ready::Try(Test::Via(ids, marks)) } else { Ready::Nothing }
}

fn null_test(column: Column<'_>, wanted: bool) -> Ready<'_> {
    let present: (Ids<'_>, Vec<bool>) = match column {
        Column::IntVia(ids, list) => (ids, list.iter().map(|value| *value != NO_INT).collect()),
        Column::TextVia(ids, list, strings) => {
            (ids, list.iter().map(|sym| strings.get(*sym).is_some()).collect())
        }
        Column::GuidVia(ids, list) => (ids, vec![true; list.len()]),
        Column::Text(list, strings) => return Ready::Try(Test::SymNull(list, strings.len(), wanted)),
        Column::Row | Column::Count(_) | Column::Small(_) if wanted => return Ready::Nothing,
        Column::Row | Column::Count(_) | Column::Small(_) | Column::Computed(_) => return Ready::All,
        Column::Int(_) | Column::Id(_) | Column::Real(_) | Column::Guid(_) => {
            return Ready::Try(Test::Null(column, wanted));
        }
    };
    let (ids, marks) = present;
    Ready::Try(if wanted { Test::ViaNull(ids, marks) } else { Test::Via(ids, marks) })
}

fn any_of<'a>(column: Column<'a>, values: &[Value<'_>]) -> Ready<'a> {
    match column {
        Column::Text(list, strings) => {
            let Some(texts) = texts(values) else { return Ready::All };
            let mut marks = Vec::new();
            for sym in texts.iter().filter_map(|text| strings.find(text)) {
                let at = sym.0 as usize;
                if marks.len() <= at {
                    marks.resize(at.saturating_add(1), false);
                }
                if let Some(mark) = marks.get_mut(at) {
                    *mark = true;
                }
            }
            if marks.is_empty() { Ready::Nothing } else { Ready::Try(Test::SymAny(list, marks)) }
        }
        Column::TextVia(ids, list, strings) => {
            let Some(texts) = texts(values) else { return Ready::All };
            via(ids, list, |sym| strings.get(*sym).is_some_and(|text| texts.contains(text)))
        }
        Column::Int(_) | Column::Id(_) | Column::Count(_) | Column::Small(_) | Column::IntVia(..) => {
            let mut set = FxHashSet::default();
            for value in values {
                match bounds(Op::Eq, value) {
                    Bounds::Undecided => return Ready::All,
                    Bounds::Within(low, high) if low == high => {
                        set.insert(low);
                    }
                    Bounds::Within(..) => {}
                }
            }
            match column {
                Column::IntVia(ids, list) => via(ids, list, |value| *value != NO_INT && set.contains(value)),
                _ if set.is_empty() => Ready::Nothing,
                _ => Ready::Try(Test::IntAny(column, set)),
            }
        }
        _ => Ready::All,
    }
}

/// The texts among values; none where a value would be converted first.
fn texts<'v>(values: &'v [Value<'_>]) -> Option<FxHashSet<&'v str>> {
    let mut texts = FxHashSet::default();
    for value in values {
        match value {
            Value::Text(text) => {
                texts.insert(text.as_ref());
            }
            Value::Null => {}
            Value::Int(_) | Value::Real(_) => return None,
        }
    }
    Some(texts)
}

/// The integers that compare so with a value.
pub(crate) fn bounds(op: Op, value: &Value<'_>) -> Bounds {
    match value {
        Value::Null => Bounds::EMPTY,
        Value::Text(_) => Bounds::Undecided,
        Value::Int(value) => match op {
            Op::Eq => Bounds::Within(*value, *value),
            Op::Gt => value.checked_add(1).map_or(Bounds::EMPTY, |low| Bounds::Within(low, i64::MAX)),
            Op::Ge => Bounds::Within(*value, i64::MAX),
            Op::Lt => value.checked_sub(1).map_or(Bounds::EMPTY, |high| Bounds::Within(i64::MIN, high)),
            Op::Le => Bounds::Within(i64::MIN, *value),
            Op::In | Op::IsNull | Op::NotNull => Bounds::Undecided,
        },
        Value::Real(value) => real_bounds(op, *value),
    }
}

fn real_bounds(op: Op, value: f64) -> Bounds {
    let whole = value.floor();
    let fraction = whole.to_bits() != value.to_bits() && whole < value;
    // An integer above a number with a fraction is above its floor, and one at least as large as well.
    let op = match op {
        Op::Eq if fraction => return Bounds::EMPTY,
        Op::Ge if fraction => Op::Gt,
        Op::Lt if fraction => Op::Le,
        op => op,
    };
    if (-BEYOND..BEYOND).contains(&whole) {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within the integers")]
        let whole = whole as i64;
        return bounds(op, &Value::Int(whole));
    }
    let above = value > 0.0;
    match op {
        Op::Gt | Op::Ge if !above => Bounds::Within(i64::MIN, i64::MAX),
        Op::Lt | Op::Le if above => Bounds::Within(i64::MIN, i64::MAX),
        Op::In | Op::IsNull | Op::NotNull => Bounds::Undecided,
        _ => Bounds::EMPTY,
    }
}

fn real(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Real(value) => Some(*value),
        #[expect(clippy::cast_precision_loss, reason = "so small an integer is exact")]
        Value::Int(value) if value.unsigned_abs() <= EXACT => Some(*value as f64),
        _ => None,
    }
}

/// Whether a comparison with this value is decided here exactly as SQLite would, so that it need not look again.
#[expect(clippy::match_same_arms, reason = "an arm a kind of column, each to be argued by itself")]
pub(crate) fn is_exact(column: &Column<'_>, op: Op, value: Option<&Value<'_>>) -> bool {
    match (op, column, value) {
        (Op::IsNull | Op::NotNull, column, _) => !matches!(column, Column::Computed(_)),
        (Op::In, ..) | (_, _, None) => false,
        (
            _,
            Column::Row
            | Column::Int(_)
            | Column::Id(_)
            | Column::Count(_)
            | Column::Small(_)
            | Column::IntVia(..),
            Some(Value::Int(_) | Value::Real(_)),
        ) => true,
        (_, Column::Real(_), Some(value)) => real(value).is_some(),
        (Op::Eq, Column::Text(..) | Column::Guid(_) | Column::GuidVia(..), Some(Value::Text(_))) => true,
        (_, Column::TextVia(..), Some(Value::Text(_))) => true,
        _ => false,
    }
}

/// The key of a value in an order of the column; none where the column has no keys or SQLite would convert the value.
pub(crate) fn key(column: &Column<'_>, operand: &Operand<'_>) -> Option<Key> {
    let Operand::One(value) = operand else { return None };
    match (column, value) {
        (Column::Text(_, strings) | Column::TextVia(_, _, strings), Value::Text(text)) => {
            strings.find(text).map(|sym| Key::from(sym.0))
        }
        (Column::Guid(_) | Column::GuidVia(..), Value::Text(text)) => guid(text).as_ref().map(guid_key),
        (
            Column::Int(_) | Column::Id(_) | Column::Count(_) | Column::Small(_) | Column::IntVia(..),
            Value::Int(value),
        ) => Some(Key::from(*value)),
        (Column::Real(_), value) => real(value).map(real_key),
        _ => None,
    }
}

/// A GUID as the columns write it: in lower case, the first three groups little-endian numbers.
fn guid(text: &str) -> Option<[u8; 16]> {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let shape = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        });
    if !shape {
        return None;
    }
    let digits: Cow<'_, str> = Cow::Owned(text.replace('-', ""));
    let mut guid = [0; 16];
    for (at, place) in ORDER.iter().enumerate() {
        let pair = digits.get(at.checked_mul(2)?..)?.get(..2)?;
        *guid.get_mut(*place)? = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(guid)
}
