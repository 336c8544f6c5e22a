//! How the parts count, sum up and spread values over the recording.

use base::number::{count, real, real_u64};
use model::{NO_INT, Sym, Trace};
use report::Part;
use std::collections::BTreeMap;

/// How many pieces a series has.
pub(crate) const SERIES_PIECES: usize = 40;

/// Counts and sums by some text.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rows: BTreeMap<Sym, Tallied>,
}

/// What a key stands for.
#[derive(Debug, Default)]
struct Tallied {
    count: u64,
    /// How many of them have an amount that is known.
    known: u64,
    amount: f64,
}

impl Tally {
    /// Counts one more of `key`, with an amount.
    pub(crate) fn add(&mut self, key: Sym, amount: f64) {
        self.add_known(key, Some(amount));
    }

    /// The same with an amount that the recording may lack.
    pub(crate) fn add_known(&mut self, key: Sym, amount: Option<f64>) {
        let row = self.rows.entry(key).or_default();
        row.count = row.count.saturating_add(1);
        row.known = row.known.saturating_add(u64::from(amount.is_some()));
        row.amount += amount.unwrap_or(0.0);
    }

    /// How often a key was counted, and its amount.
    pub(crate) fn rows<'a>(&'a self, recording: &'a Trace) -> impl Iterator<Item = (String, f64, f64)> + 'a {
        self.known_rows(recording).map(|(name, count, amount)| (name, count, amount.unwrap_or(0.0)))
    }

    /// The same; the amount of a key of which none is known is none.
    pub(crate) fn known_rows<'a>(
        &'a self,
        recording: &'a Trace,
    ) -> impl Iterator<Item = (String, f64, Option<f64>)> + 'a {
        self.rows.iter().map(|(key, row)| {
            let name = recording.strings.get(*key).unwrap_or("not told").to_owned();
            (name, real_u64(row.count), (row.known > 0).then_some(row.amount))
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

/// The sum of the known values of a column. `None` if it has values and none is known: that is no 0.
pub(crate) fn sum(column: &[i64]) -> Option<f64> {
    let values = column.iter().filter_map(|value| known(*value)).map(real);
    let sum = values.reduce(|sum, value| sum + value);
    if column.is_empty() { Some(0.0) } else { sum }
}

/// How many values of a column are not known.
pub(crate) fn unknown(column: &[i64]) -> usize {
    column.iter().filter(|value| known(**value).is_none()).count()
}

/// Adds what is known of how long threads waited: the sum and the largest, and how many are missing from both, if any.
pub(crate) fn add_waits(part: &mut Part, dur_ns: &[i64]) {
    let left_out = unknown(dur_ns);
    part.figure("wait.total", sum(dur_ns).map(millis), "ms", "Time waited, over all threads");
    part.figure("wait.max", largest(dur_ns).map(millis), "ms", "The longest wait");
    if left_out > 0 {
        part.mark_partial_of(&["wait.total", "wait.max"]);
        let about = "Waits whose end was not recorded, so not their time";
        part.figure("unended", Some(count(left_out)), "", about);
    }
}

/// Milliseconds from the first to the last, if all happened in one stretch of less than a second in a longer recording: then
/// a rate, of whatever time, says little.
pub fn within_ms(times: &[i64], observed_ns: Option<i64>) -> Option<f64> {
    const SECOND: i64 = 1_000_000_000;
    let (first, last) = (times.iter().min()?, times.iter().max()?);
    let within = last.saturating_sub(*first);
    let is_burst = times.len() > 1 && within < SECOND && observed_ns.is_some_and(|ns| ns >= 2 * SECOND);
    is_burst.then(|| millis(real(within)))
}

/// The largest of the known values of a column.
pub(crate) fn largest(column: &[i64]) -> Option<f64> {
    column.iter().filter_map(|value| known(*value)).max().map(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_of_which_nothing_is_known_is_not_zero() {
        assert_eq!([sum(&[]), sum(&[NO_INT, NO_INT]), sum(&[NO_INT, 4, 5])], [Some(0.0), None, Some(9.0)]);
        let recording = Trace::default();
        let mut tally = Tally::default();
        tally.add_known(Sym::NONE, None);
        let amounts =
            |tally: &Tally| tally.known_rows(&recording).map(|row| (row.1, row.2)).collect::<Vec<_>>();
        assert_eq!(amounts(&tally), [(1.0, None)]);
        tally.add_known(Sym::NONE, Some(3.0));
        assert_eq!(amounts(&tally), [(2.0, Some(3.0))]);
    }

    #[test]
    fn what_happens_once_in_a_recording_is_told_by_the_time_it_took() {
        let second = 1_000_000_000;
        let sixteen: Vec<i64> = (0..16).map(|at| second + at * 86_000).collect();
        assert_eq!(within_ms(&sixteen, Some(10 * second)), Some(1.29));
        assert_eq!(within_ms(&sixteen, Some(second)), None);
        assert_eq!(within_ms(&[5], Some(10 * second)), None);
        assert_eq!(within_ms(&[0, second], Some(10 * second)), None);
    }

    #[test]
    fn a_time_behind_the_end_falls_into_the_last_piece() {
        let mut recording = Trace::default();
        recording.exhibit.duration_ns = 2 * i64::try_from(SERIES_PIECES).unwrap();
        let pieces = [0, 1, 2, 31, 1_000, -5].map(|ts_ns| piece_of(&recording, ts_ns));
        assert_eq!(pieces, [0, 0, 1, 15, SERIES_PIECES - 1, 0]);
    }
}
