//! How all parts count values, add them up, and spread them over the recording.

use base::number::{count, real, real_u64};
use model::{NO_INT, Sym, Trace};
use report::Part;
use std::collections::BTreeMap;

/// How many pieces a series has.
pub(crate) const SERIES_PIECES: usize = 40;

/// The name of a row whose text is not in the recording.
pub const NOT_RECORDED: &str = "not recorded";

/// Counts and sums by text.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rows: BTreeMap<Sym, Tallied>,
}

/// What was counted of one text.
#[derive(Debug, Default)]
struct Tallied {
    count: u64,
    /// How many have a known amount.
    known: u64,
    amount: f64,
}

impl Tally {
    /// Counts one more of `key`, and adds its amount.
    pub(crate) fn add(&mut self, key: Sym, amount: f64) {
        self.add_known(key, Some(amount));
    }

    /// Like [`Self::add`], with an amount that the recording may lack.
    pub(crate) fn add_known(&mut self, key: Sym, amount: Option<f64>) {
        let row = self.rows.entry(key).or_default();
        row.count = row.count.saturating_add(1);
        row.known = row.known.saturating_add(u64::from(amount.is_some()));
        // `known` says how many amounts the sum has.
        row.amount += amount.unwrap_or(0.0);
    }

    /// Each text, how often it was counted, and the sum of its amounts.
    pub(crate) fn rows<'a>(&'a self, recording: &'a Trace) -> impl Iterator<Item = (String, f64, f64)> + 'a {
        self.known_rows(recording).map(|(name, count, amount)| (name, count, amount.unwrap_or(0.0)))
    }

    /// Like [`Self::rows`]. The sum is `None` if no amount is known.
    pub(crate) fn known_rows<'a>(
        &'a self,
        recording: &'a Trace,
    ) -> impl Iterator<Item = (String, f64, Option<f64>)> + 'a {
        self.rows.iter().map(|(key, row)| {
            let name = recording.strings.get(*key).unwrap_or(NOT_RECORDED).to_owned();
            (name, real_u64(row.count), (row.known > 0).then_some(row.amount))
        })
    }
}

/// The sum of the values in each piece of the recording.
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
    const PIECES: i128 = SERIES_PIECES as i128;
    let duration = i128::from(recording.exhibit.duration_ns.max(1));
    let piece = (i128::from(ts_ns.max(0)) * PIECES / duration).min(PIECES - 1);
    // It is between 0 and the number of pieces.
    usize::try_from(piece).unwrap_or(0)
}

/// Converts nanoseconds to milliseconds.
pub(crate) fn millis(ns: f64) -> f64 {
    ns / 1e6
}

/// A part of a whole. `None` if the whole is 0.
pub(crate) fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then_some(part / whole)
}

/// An amount per second, over a time in nanoseconds.
pub(crate) fn rate(amount: f64, ns: Option<i64>) -> Option<f64> {
    share(amount * 1e9, real(ns?))
}

/// An integer of a column. `None` if it is missing.
pub fn known(value: i64) -> Option<i64> {
    (value != NO_INT).then_some(value)
}

/// The sum of the known values of a column. `None` if it has values but none is known, which is not 0.
pub(crate) fn sum(column: &[i64]) -> Option<f64> {
    let values = column.iter().filter_map(|value| known(*value)).map(real);
    let sum = values.reduce(|sum, value| sum + value);
    if column.is_empty() { Some(0.0) } else { sum }
}

/// How many values of a column are missing.
pub(crate) fn unknown(column: &[i64]) -> usize {
    column.iter().filter(|value| known(**value).is_none()).count()
}

/// Adds the figures of how long threads waited: the sum, the maximum, and how many waits without an end are in neither.
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

/// Milliseconds from the first time to the last, if all lie within a second of a longer recording. A rate then says little.
pub fn within_ms(times: &[i64], observed_ns: Option<i64>) -> Option<f64> {
    const SECOND: i64 = 1_000_000_000;
    let (first, last) = (times.iter().min()?, times.iter().max()?);
    let within = last.saturating_sub(*first);
    let is_burst = times.len() > 1 && within < SECOND && observed_ns.is_some_and(|ns| ns >= 2 * SECOND);
    is_burst.then(|| millis(real(within)))
}

/// The largest known value of a column.
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
    fn what_happens_at_once_has_the_time_it_took() {
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
