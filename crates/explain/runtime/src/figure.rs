//! How the parts count, sum up and spread values over the recording.

use base::number::{real, real_u64};
use model::{NO_INT, Sym, Trace};
use std::collections::BTreeMap;

/// How many pieces a series has.
pub(crate) const SERIES_PIECES: usize = 40;

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

/// Nanoseconds in milliseconds.
pub(crate) fn millis(ns: f64) -> f64 {
    ns / 1e6
}

/// A part of a whole. `None` if the whole is 0.
pub(crate) fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then_some(part / whole)
}

/// How often per second, over the nanoseconds given.
pub(crate) fn rate(amount: f64, ns: Option<i64>) -> Option<f64> {
    share(amount * 1e9, real(ns?))
}

/// An integer of a column, if there is one.
pub fn known(value: i64) -> Option<i64> {
    (value != NO_INT).then_some(value)
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
    fn a_time_behind_the_end_falls_into_the_last_piece() {
        let mut recording = Trace::default();
        recording.exhibit.duration_ns = 2 * i64::try_from(SERIES_PIECES).unwrap();
        let pieces = [0, 1, 2, 31, 1_000, -5].map(|ts_ns| piece_of(&recording, ts_ns));
        assert_eq!(pieces, [0, 0, 1, 15, SERIES_PIECES - 1, 0]);
    }
}
