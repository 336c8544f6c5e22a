//! What a part consists of: figures, lists and courses over time, as plain values.

use model::{NO_INT, Sym, Trace};
use std::collections::BTreeMap;

/// How many rows a list keeps.
const LIST_ROWS: usize = 10;
/// How many pieces a course over time has.
pub(crate) const SERIES_PIECES: usize = 40;

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name within the part.
    pub name: &'static str,
    /// Its value; none where the recording cannot give it.
    pub value: Option<f64>,
    /// Its unit: `ms`, `B`, `B/s`, `1/s`, `share` (of 1), or empty for a count.
    pub unit: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// A column of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListColumn {
    /// Its name.
    pub name: &'static str,
    /// Its unit, as of a figure.
    pub unit: &'static str,
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What the row is of.
    pub name: String,
    /// A value for each column.
    pub values: Vec<Option<f64>>,
}

/// The largest of something, by the first column.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// Its name within the part.
    pub name: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// The columns behind the name.
    pub columns: &'static [ListColumn],
    /// The first rows.
    pub rows: Vec<Row>,
    /// Rows that were left off.
    pub more: usize,
}

/// The course of a value over the recording, in pieces of equal length.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name within the part.
    pub name: &'static str,
    /// Unit of the values, as of a figure.
    pub unit: &'static str,
    /// What a value is.
    pub about: &'static str,
    /// The values; none where a piece has none.
    pub values: Vec<Option<f64>>,
}

/// A part of the runtime in figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// Which part: `gc`, `cpu` …
    pub id: &'static str,
    /// Its figures.
    pub figures: Vec<Figure>,
    /// Its lists.
    pub lists: Vec<List>,
    /// Its courses over time.
    pub series: Vec<Series>,
    /// What the recording does not give, and what to do about it.
    pub missing: Vec<&'static str>,
}

impl Part {
    /// A part without anything.
    pub(crate) fn new(id: &'static str) -> Self {
        Self { id, ..Self::default() }
    }

    /// Adds a figure.
    pub(crate) fn figure(
        &mut self,
        name: &'static str,
        value: Option<f64>,
        unit: &'static str,
        about: &'static str,
    ) {
        // An empty sum is -0.0, and a share of nothing negative.
        let value = value.filter(|value| value.is_finite()).map(|value| value + 0.0);
        self.figures.push(Figure { name, value, unit, about });
    }

    /// The value of a figure.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name)?.value
    }

    /// A list by its name.
    pub fn list(&self, name: &str) -> Option<&List> {
        self.lists.iter().find(|list| list.name == name)
    }

    /// A course by its name.
    pub fn course(&self, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.name == name)
    }
}

impl List {
    /// A list of rows, largest first by the first column, equal ones by name.
    pub(crate) fn ranked(
        name: &'static str,
        about: &'static str,
        columns: &'static [ListColumn],
        mut rows: Vec<Row>,
    ) -> Self {
        let key = |row: &Row| row.values.first().copied().flatten().unwrap_or(f64::MIN);
        rows.sort_by(|a, b| key(b).total_cmp(&key(a)).then_with(|| a.name.cmp(&b.name)));
        let more = rows.len().saturating_sub(LIST_ROWS);
        rows.truncate(LIST_ROWS);
        Self { name, about, columns, rows, more }
    }
}

/// Counts and sums by some text.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rows: BTreeMap<Sym, (u64, f64)>,
}

impl Tally {
    /// Counts one more of `key`, with an amount.
    pub(crate) fn add(&mut self, key: Sym, amount: f64) {
        let row = self.rows.entry(key).or_default();
        row.0 = row.0.saturating_add(1);
        row.1 += amount;
    }

    /// How often a key was counted, and its amount.
    pub(crate) fn rows<'a>(&'a self, recording: &'a Trace) -> impl Iterator<Item = (String, f64, f64)> + 'a {
        self.rows.iter().map(|(key, (count, amount))| {
            let name = recording.strings.get(*key).unwrap_or("not told").to_owned();
            (name, real_u64(*count), *amount)
        })
    }
}

/// Spreads values over the recording's pieces and adds them up.
pub(crate) fn spread(recording: &Trace, values: impl Iterator<Item = (i64, f64)>) -> Vec<Option<f64>> {
    let mut pieces = vec![Some(0.0); SERIES_PIECES];
    for (ts_ns, value) in values {
        if let Some(Some(sum)) = pieces.get_mut(piece_of(recording, ts_ns)) {
            *sum += value;
        }
    }
    pieces
}

/// The piece of the recording that a time lies in.
pub(crate) fn piece_of(recording: &Trace, ts_ns: i64) -> usize {
    let pieces = i128::try_from(SERIES_PIECES).unwrap_or(1);
    let duration = i128::from(recording.exhibit.duration_ns.max(1));
    let piece = (i128::from(ts_ns.max(0)) * pieces / duration).min(pieces - 1);
    usize::try_from(piece).unwrap_or(0)
}

/// The value at a share of sorted values: the smallest that so many are not above.
pub(crate) fn quantile(sorted: &[i64], per_mille: usize) -> Option<f64> {
    let rank = sorted.len().saturating_mul(per_mille).div_ceil(1000);
    sorted.get(rank.saturating_sub(1)).map(|value| real(*value))
}

/// Nanoseconds in milliseconds.
pub(crate) fn millis(ns: f64) -> f64 {
    ns / 1e6
}

/// A part of a whole; none of nothing.
pub(crate) fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then_some(part / whole)
}

/// How often a second, in the nanoseconds given.
pub(crate) fn rate(amount: f64, ns: Option<i64>) -> Option<f64> {
    share(amount * 1e9, real(ns?))
}

/// An integer of a column, if there is one.
pub fn known(value: i64) -> Option<i64> {
    (value != NO_INT).then_some(value)
}

/// An integer as a figure.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53: 104 days in nanoseconds")]
pub fn real(value: i64) -> f64 {
    value as f64
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub fn real_u64(value: u64) -> f64 {
    value as f64
}

/// A length as a figure.
pub(crate) fn count(len: usize) -> f64 {
    real(i64::try_from(len).unwrap_or(i64::MAX))
}

/// The sum of the known values of a column.
pub(crate) fn sum(column: &[i64]) -> f64 {
    column.iter().filter_map(|value| known(*value)).map(real).sum()
}

/// The largest of the known values of a column.
pub(crate) fn largest(column: &[i64]) -> Option<f64> {
    column.iter().filter_map(|value| known(*value)).max().map(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let check = |values: &[i64], per_mille, expected| assert_eq!(quantile(values, per_mille), expected);
        check(&[], 500, None);
        check(&[7], 990, Some(7.0));
        check(&[1, 2, 3, 4], 500, Some(2.0));
        check(&[1, 2, 3, 4], 990, Some(4.0));
    }

    #[test]
    fn nothing_is_not_less_than_nothing() {
        let mut part = Part::new("gc");
        part.figure("pause.total", Some(sum(&[])), "ms", "");
        assert!(part.value("pause.total").is_some_and(f64::is_sign_positive));
    }

    #[test]
    fn a_time_behind_the_end_falls_into_the_last_piece() {
        let mut recording = Trace::default();
        recording.exhibit.duration_ns = 2 * i64::try_from(SERIES_PIECES).unwrap();
        let pieces = [0, 1, 2, 31, 1_000, -5].map(|ts_ns| piece_of(&recording, ts_ns));
        assert_eq!(pieces, [0, 0, 1, 15, SERIES_PIECES - 1, 0]);
    }

    #[test]
    fn a_list_keeps_its_largest_rows_and_says_how_many_it_left_off() {
        let rows =
            (0..12).map(|n| Row { name: format!("{n:02}"), values: vec![Some(real(n / 2))] }).collect();
        let list = List::ranked("l", "", &[ListColumn { name: "n", unit: "" }], rows);
        let names: Vec<_> = list.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["10", "11", "08", "09", "06", "07", "04", "05", "02", "03"]);
        assert_eq!(list.more, 2);
    }
}
