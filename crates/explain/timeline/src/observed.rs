//! How much of each piece was observed.
//!
//! Samples come in bursts, and so do events in some recordings. Between bursts nothing was recorded, which does not mean that
//! nothing happened.

use crate::grid::{Grid, Span, Spread};
use base::number::{count, real};
use model::Trace;

/// A piece has a rate if at least this share of it was observed, or of a burst if bursts are shorter. Otherwise one event in it
/// would stand out like a peak.
const LEAST: f64 = 0.1;

/// The times in which something was observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Half-open, in ascending order, with gaps between them.
    spans: Vec<Span>,
    /// How much was observed before each of them.
    sums: Vec<i64>,
}

impl Observed {
    /// The times in which a source was recorded, from the table `coverage`. The last event of each belongs to it.
    pub(crate) fn of(recording: &Trace, source: &str) -> Self {
        let Some(source) = recording.strings.find(source) else { return Self::default() };
        let rows = &recording.coverage;
        let spans = rows.source.iter().zip(rows.from_ns.iter().zip(&rows.to_ns));
        let spans = spans.filter(|(of, (from, to))| **of == source && from <= to);
        let mut spans: Vec<Span> =
            spans.map(|(_, (from, to))| Span { from_ns: *from, to_ns: to.saturating_add(1) }).collect();
        spans.sort_unstable_by_key(|span| (span.from_ns, span.to_ns));
        let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match joined.last_mut() {
                Some(last) if span.from_ns <= last.to_ns => last.to_ns = span.to_ns.max(last.to_ns),
                _ => joined.push(span),
            }
        }
        let sums = joined.iter().scan(0i64, |sum, span| {
            let before = *sum;
            *sum = sum.saturating_add(span.len_ns());
            Some(before)
        });
        let sums = sums.collect();
        Self { spans: joined, sums }
    }

    /// The observed time that a moment lies in.
    pub(crate) fn around(&self, ns: i64) -> Option<Span> {
        let after = self.spans.partition_point(|span| span.from_ns <= ns);
        self.spans.get(after.checked_sub(1)?).copied().filter(|span| ns < span.to_ns)
    }

    /// How much was observed before a moment.
    pub(crate) fn before(&self, ns: i64) -> i64 {
        let after = self.spans.partition_point(|span| span.from_ns <= ns);
        let Some(last) = after.checked_sub(1) else { return 0 };
        let (Some(span), Some(sum)) = (self.spans.get(last), self.sums.get(last)) else { return 0 };
        sum.saturating_add(ns.min(span.to_ns).saturating_sub(span.from_ns))
    }

    /// The same pieces without the time between bursts, as [`Self::before`] counts it. What lasts for several bursts is then
    /// one stretch.
    pub(crate) fn squeezed(&self, grid: &Grid) -> Grid {
        grid.mapped(|ns| self.before(ns))
    }

    /// How much of each piece was observed.
    pub(crate) fn in_pieces(&self, grid: &Grid) -> Pieces {
        let mut spread = Spread::new(grid);
        for span in &self.spans {
            spread.add(span.from_ns, span.to_ns, 1.0);
        }
        let total: f64 = self.spans.iter().map(|span| real(span.len_ns())).sum();
        let burst = total / count(self.spans.len().max(1));
        Pieces {
            ns: spread.finish(),
            least_ns: grid.widths().map(|width| LEAST * width.min(burst)).collect(),
        }
    }
}

/// How much of each piece was observed.
#[derive(Debug, Clone)]
pub(crate) struct Pieces {
    ns: Vec<f64>,
    /// How much of each piece must be observed for a rate.
    least_ns: Vec<f64>,
}

impl Pieces {
    /// The observed nanoseconds of each piece.
    pub(crate) fn ns(&self) -> &[f64] {
        &self.ns
    }

    /// The observed share of each piece.
    pub(crate) fn shares(&self, grid: &Grid) -> Vec<f64> {
        self.ns.iter().zip(grid.widths()).map(|(ns, width)| (ns / width).clamp(0.0, 1.0)).collect()
    }

    /// Amounts per second or per nanosecond of the observed time, and the amount in pieces of which too little was observed.
    pub(crate) fn rates(&self, amounts: &[f64], per: Per) -> (Vec<Option<f64>>, f64) {
        let scale = match per {
            Per::Second => 1e9,
            Per::Nanosecond => 1.0,
        };
        let mut left_out = 0.0;
        let pieces = amounts.iter().zip(self.ns.iter().zip(&self.least_ns));
        let rates = pieces.map(|(amount, (ns, least))| {
            if *ns > 0.0 && ns >= least {
                return Some(amount / ns * scale);
            }
            left_out += amount;
            None
        });
        (rates.collect(), left_out)
    }

    /// Whether each piece was observed at all.
    pub(crate) fn into_seen(self) -> impl Iterator<Item = bool> {
        self.ns.into_iter().map(|ns| ns > 0.0)
    }
}

/// What an amount is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Per {
    Second,
    Nanosecond,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::recording;

    #[test]
    fn times_that_overlap_are_joined_and_time_between_them_does_not_count() {
        let recording =
            recording(&[("events", 0, 9), ("events", 5, 19), ("events", 40, 49), ("samples", 0, 99)]);
        let observed = Observed::of(&recording, "events");
        let [first, second] = [(0, 20), (40, 50)].map(|(from_ns, to_ns)| Span { from_ns, to_ns });
        assert_eq!(observed, Observed { spans: vec![first, second], sums: vec![0, 20] });
        assert_eq!(
            [0, 19, 20, 40].map(|ns| observed.around(ns)),
            [Some(first), Some(first), None, Some(second)]
        );
        let before = [i64::MIN, 0, 15, 20, 39, 40, 45, i64::MAX].map(|ns| observed.before(ns));
        assert_eq!(before, [0, 0, 15, 20, 20, 20, 25, 30]);
    }

    #[test]
    fn what_lasts_through_bursts_is_in_each_by_the_part_that_was_observed() {
        let recording = recording(&[("events", 0, 9), ("events", 20, 29), ("events", 35, 44)]);
        let observed = Observed::of(&recording, "events");
        let squeezed = observed.squeezed(&Grid::new(Span { from_ns: 0, to_ns: 40 }, 4));
        let mut spread = Spread::new(&squeezed);
        spread.add(observed.before(5), observed.before(37), 1.0);
        assert_eq!(spread.finish(), [5.0, 0.0, 10.0, 2.0]);
    }

    #[test]
    fn a_piece_that_was_hardly_observed_gives_no_rate_and_its_rows_are_counted() {
        let recording = recording(&[("events", 0, 999), ("events", 5_000, 5_999)]);
        let grid = Grid::new(Span { from_ns: 0, to_ns: 8_000 }, 8);
        let pieces = Observed::of(&recording, "events").in_pieces(&grid);
        let amounts = [4.0, 0.0, 0.0, 0.0, 0.0, 6.0, 0.0, 0.0];
        let none = None;
        let rates = vec![Some(4e6), none, none, none, none, Some(6e6), none, none];
        assert_eq!(pieces.rates(&amounts, Per::Second), (rates, 0.0));
        // The second piece has 50 of its 1,050 nanoseconds of a burst of 1,000.
        let grid = Grid::new(Span { from_ns: -1_000, to_ns: 1_100 }, 2);
        let pieces = Observed::of(&recording, "events").in_pieces(&grid);
        let left_out = pieces.rates(&[1.0, 3.0], Per::Second).1;
        assert!((left_out - 1.0).abs() < 1e-9, "{left_out}");
    }

    #[test]
    fn bursts_shorter_than_a_piece_still_give_rates() {
        let recording = recording(&[("samples", 0, 199), ("samples", 20_000, 20_199)]);
        let grid = Grid::new(Span { from_ns: 0, to_ns: 40_000 }, 2);
        let pieces = Observed::of(&recording, "samples").in_pieces(&grid);
        assert_eq!(pieces.rates(&[20.0, 40.0], Per::Nanosecond).0, [Some(0.1), Some(0.2)]);
        assert_eq!(pieces.shares(&grid), [0.01, 0.01]);
    }
}
