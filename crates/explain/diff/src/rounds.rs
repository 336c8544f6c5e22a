//! What a meter counted, over the time in which it counted.
//!
//! ```text
//! begin of the recording ├────────────┤────────────┤───  …
//! published                     round 1      round 2
//! counted                ◄── gap ────►◄── gap ────►
//! ```
//!
//! A count is of the time since the round before, so it belongs to the piece of time in which the middle of that interval
//! lies, and is divided by the intervals of its rounds, not by the piece: a piece of a second may hold the ends of no round,
//! or of two.

use crate::grid::Grid;
use crate::noise::Tally;
use base::number::real;
use base::stats::{Share, select};

/// Values that are published closer together than this are of one round.
const ONE_ROUND_NS: i64 = 100_000_000;
/// A gap that is longer than so many usual ones is no interval of the meter: it was off meanwhile.
const LONGEST: f64 = 1.5;

/// The rounds in which a meter published.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rounds {
    /// The first and last publication of a round, its interval in seconds, the piece that its middle lies in.
    rounds: Vec<(i64, i64, f64, Option<usize>)>,
}

impl Rounds {
    /// The rounds by the times of all publications, in any order.
    pub(crate) fn new(grid: &Grid, times: impl IntoIterator<Item = i64>) -> Self {
        let mut times: Vec<i64> = times.into_iter().collect();
        times.sort_unstable();
        let mut ends: Vec<(i64, i64)> = Vec::new();
        for ns in times {
            match ends.last_mut() {
                Some((_, last)) if ns.saturating_sub(*last) < ONE_ROUND_NS => *last = ns,
                _ => ends.push((ns, ns)),
            }
        }
        let gap = |(from, to): (&(i64, i64), &(i64, i64))| real(to.0.saturating_sub(from.0)) / 1e9;
        let mut gaps: Vec<f64> = ends.iter().zip(ends.iter().skip(1)).map(gap).collect();
        let Some(usual) = select(&mut gaps.clone(), Share::MEDIAN, f64::total_cmp) else {
            return Self::default();
        };
        gaps.insert(0, usual);
        let rounds = ends.into_iter().zip(gaps).map(|((from, to), gap)| {
            let seconds = if gap > LONGEST * usual { usual } else { gap };
            #[expect(clippy::cast_possible_truncation, reason = "half of a gap between two times")]
            let middle = from.saturating_sub((seconds * 5e8) as i64);
            (from, to, seconds, grid.piece(middle))
        });
        Self { rounds: rounds.collect() }
    }

    /// Seconds that were counted in each piece.
    pub(crate) fn base(&self, pieces: usize) -> Vec<f64> {
        let mut base = vec![0.0; pieces];
        for (_, _, seconds, piece) in &self.rounds {
            if let Some(of) = piece.and_then(|piece| base.get_mut(piece)) {
                *of += seconds;
            }
        }
        base
    }

    /// The piece that a publication counts for.
    pub(crate) fn piece(&self, ts_ns: i64) -> Option<usize> {
        let after = self.rounds.partition_point(|round| round.0 <= ts_ns);
        let round = self.rounds.get(after.checked_sub(1)?)?;
        if ts_ns <= round.1 { round.3 } else { None }
    }

    /// What was counted, over the seconds of its rounds. Each of what is counted came by itself.
    pub(crate) fn rate(&self, ramp: &[bool], counts: impl IntoIterator<Item = (i64, f64)>) -> Tally {
        let mut tally = Tally::of_base(&self.base(ramp.len()), ramp);
        for (ts_ns, many) in counts {
            if let Some(piece) = self.piece(ts_ns) {
                tally.count_many(piece, many);
            }
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{CoverageRow, Trace};

    #[test]
    fn a_meter_that_begins_late_and_pauses_has_the_rate_of_the_time_in_which_it_counted() {
        let mut recording = Trace::default();
        let source = recording.strings.intern("events");
        recording.coverage.push(CoverageRow { source, from_ns: 0, to_ns: 20_000_000_000 });
        let grid = Grid::new(&recording, "events", None);
        // 400 a second, published in the middle of pieces, with a piece's end between two tags; off for five seconds.
        let second = 1_000_000_000;
        let ends = (1..20).filter(|at| !(8..13).contains(at)).map(|at| at * second - 3_000_000);
        let rows: Vec<(i64, f64)> = ends.flat_map(|ns| [(ns, 100.0), (ns + 6_000_000, 300.0)]).collect();
        let rounds = Rounds::new(&grid, rows.iter().map(|row| row.0));
        let seconds: f64 = rounds.base(grid.pieces()).iter().sum();
        assert!((seconds - 14.0).abs() < 1e-9, "{seconds}");
        let rate = rounds.rate(&vec![false; grid.pieces()], rows).estimate().unwrap();
        assert!((rate.value - 400.0).abs() < 1e-9, "{}", rate.value);
        assert_eq!(rate.rows, 5_600);
        assert_eq!(Rounds::new(&grid, []).piece(0), None);
        assert_eq!(Rounds::new(&grid, [i64::MIN, i64::MAX]).piece(5), None);
    }
}
