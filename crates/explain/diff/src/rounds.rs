//! What a meter counted, over the time in which it counted.
//!
//! ```text
//! begin of the recording ├────────────┤────────────┤───  …
//! published                     round 1      round 2
//! counted                ◄── gap ────►◄── gap ────►
//! ```
//!
//! A count covers the time since the round before, so it belongs to the piece that holds the middle of that interval. It is
//! divided by the intervals of its rounds and not by the length of the piece: no round may end in a piece of one second, or
//! two may.

use crate::grid::Grid;
use crate::tally::Tally;
use base::number::real;
use base::stats::{Share, select};

/// Values that are published closer together than this belong to one round.
const ONE_ROUND_NS: i64 = 100_000_000;
/// After a gap longer than this many usual ones, the meter was off meanwhile.
const LONGEST: f64 = 1.5;

/// One publication of all values of a meter.
#[derive(Debug, Clone, Copy)]
struct Round {
    first_ns: i64,
    last_ns: i64,
    /// The length of the interval that it counts.
    seconds: f64,
    /// The piece of time that holds the middle of the interval.
    piece: Option<usize>,
}

/// The rounds in which a meter published, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rounds {
    rounds: Vec<Round>,
}

impl Rounds {
    /// Finds the rounds from the times of all publications, in any order.
    pub(crate) fn new(grid: &Grid, times: impl IntoIterator<Item = i64>) -> Self {
        let mut times: Vec<i64> = times.into_iter().collect();
        times.sort_unstable();
        let mut rounds: Vec<Round> = Vec::new();
        for ns in times {
            match rounds.last_mut() {
                Some(round) if ns.saturating_sub(round.last_ns) < ONE_ROUND_NS => round.last_ns = ns,
                _ => {
                    // The interval follows below, from the round before.
                    rounds.push(Round { first_ns: ns, last_ns: ns, seconds: 0.0, piece: None });
                }
            }
        }
        let starts = || rounds.iter().map(|round| round.first_ns);
        let gaps = starts().zip(starts().skip(1)).map(|(from, to)| real(to.saturating_sub(from)) / 1e9);
        let mut gaps: Vec<f64> = gaps.collect();
        let Some(usual) = select(&mut gaps.clone(), Share::MEDIAN, f64::total_cmp) else {
            return Self::default();
        };
        // When the first round began to count is not recorded: as long before as usual.
        gaps.insert(0, usual);
        for (round, gap) in rounds.iter_mut().zip(gaps) {
            round.seconds = if gap > LONGEST * usual { usual } else { gap };
            #[expect(clippy::cast_possible_truncation, reason = "half of a gap between two times")]
            let half_ns = (round.seconds * 5e8) as i64;
            round.piece = grid.piece(round.first_ns.saturating_sub(half_ns));
        }
        Self { rounds }
    }

    /// The seconds that were counted in each piece.
    pub(crate) fn base(&self, pieces: usize) -> Vec<f64> {
        let mut base = vec![0.0; pieces];
        for round in &self.rounds {
            if let Some(seconds) = round.piece.and_then(|piece| base.get_mut(piece)) {
                *seconds += round.seconds;
            }
        }
        base
    }

    /// The piece that a publication counts for.
    pub(crate) fn piece(&self, ts_ns: i64) -> Option<usize> {
        let after = self.rounds.partition_point(|round| round.first_ns <= ts_ns);
        let round = self.rounds.get(after.checked_sub(1)?)?;
        if ts_ns <= round.last_ns { round.piece } else { None }
    }

    /// Counts of independent events, over the seconds of their rounds.
    pub(crate) fn rate(&self, ramp: &[bool], counts: impl IntoIterator<Item = (i64, f64)>) -> Tally {
        let mut tally = Tally::of_base(&self.base(ramp.len()), ramp);
        for (ts_ns, events) in counts {
            if let Some(piece) = self.piece(ts_ns) {
                tally.count_many(piece, events);
            }
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Trace;

    #[test]
    fn a_meter_that_begins_late_and_pauses_has_the_rate_of_the_time_in_which_it_counted() {
        let mut recording = Trace::default();
        recording.covers("events", 0, 20_000_000_000);
        let grid = Grid::new(&recording, "events", None);
        // 400 per second, published in the middle of pieces, with a piece's end between two tags; off for five seconds.
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
