//! The observed time of a recording, cut into pieces of equal length.
//!
//! ```text
//! coverage   ├──────┤      ├────────┤     ├───┤      what was recorded
//! pieces     │ 0 │ 1        │ 2 │ 3 │  4      │      equal parts of it, gaps left out
//! ```
//!
//! How much a value varies from piece to piece is the noise within a recording: the method of batch means. Between ten and
//! thirty pieces are enough (B. Schmeiser, Batch Size Effects in the Analysis of Simulation Output, Operations Research
//! 30, 1982). Pieces last one second or more, since counters are published once per second.

use base::number::{count, real};
use model::Trace;

/// The fewest pieces that a recording is cut into.
pub(crate) const MIN_PIECES: usize = 10;
/// The most pieces that a recording is cut into.
const MAX_PIECES: usize = 30;
/// The least length of a piece, if the recording is long enough for [`MIN_PIECES`] of them.
const PIECE_NS: i64 = 1_000_000_000;

/// A time that was observed without a gap, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from_ns: i64,
    to_ns: i64,
    /// Nanoseconds that were observed before it.
    observed_before: i64,
}

/// The observed time in pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Grid {
    /// In ascending order, with gaps between them.
    spans: Vec<Span>,
    observed_ns: i64,
    pieces: usize,
}

impl Grid {
    /// Cuts the time in which a source (`events`, `samples`) was recorded within a range, as the table `coverage` has it.
    pub(crate) fn new(recording: &Trace, source: &str, range: Option<(i64, i64)>) -> Self {
        let Some(source) = recording.strings.find(source) else { return Self::default() };
        let (least, most) = range.unwrap_or((i64::MIN, i64::MAX));
        let rows = &recording.coverage;
        let spans = rows.source.iter().zip(rows.from_ns.iter().zip(&rows.to_ns));
        // The last event of a span belongs to it.
        let spans = spans.filter(|(of, _)| **of == source);
        let spans = spans.map(|(_, (from, to))| ((*from).max(least), to.saturating_add(1).min(most)));
        let mut spans: Vec<(i64, i64)> = spans.filter(|(from, to)| from < to).collect();
        spans.sort_unstable();
        let mut grid = Self::default();
        for (from_ns, to_ns) in spans {
            match grid.spans.last_mut() {
                // Spans that overlap or touch become one.
                Some(last) if from_ns <= last.to_ns => {
                    let more = to_ns.saturating_sub(last.to_ns).max(0);
                    grid.observed_ns = grid.observed_ns.saturating_add(more);
                    last.to_ns = to_ns.max(last.to_ns);
                }
                _ => {
                    grid.spans.push(Span { from_ns, to_ns, observed_before: grid.observed_ns });
                    grid.observed_ns = grid.observed_ns.saturating_add(to_ns.saturating_sub(from_ns));
                }
            }
        }
        let wanted = usize::try_from(grid.observed_ns / PIECE_NS).unwrap_or(MAX_PIECES);
        grid.pieces = if grid.observed_ns > 0 { wanted.clamp(MIN_PIECES, MAX_PIECES) } else { 0 };
        grid
    }

    /// How many pieces there are; 0 if nothing was observed.
    pub(crate) fn pieces(&self) -> usize {
        self.pieces
    }

    /// Nanoseconds that were observed.
    pub(crate) fn observed_ns(&self) -> i64 {
        self.observed_ns
    }

    /// The length of each piece; 0 if nothing was observed.
    pub(crate) fn piece_seconds(&self) -> f64 {
        if self.pieces == 0 { 0.0 } else { real(self.observed_ns) / 1e9 / count(self.pieces) }
    }

    /// The piece that holds a time. `None` if it was not observed.
    pub(crate) fn piece(&self, ts_ns: i64) -> Option<usize> {
        let after = self.spans.partition_point(|span| span.from_ns <= ts_ns);
        let span = *self.spans.get(after.checked_sub(1)?)?;
        if ts_ns >= span.to_ns {
            return None;
        }
        let at = i128::from(span.observed_before) + i128::from(ts_ns) - i128::from(span.from_ns);
        let piece = at * i128::try_from(self.pieces).ok()? / i128::from(self.observed_ns.max(1));
        usize::try_from(piece).ok().map(|piece| piece.min(self.pieces.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(spans: &[(i64, i64)], range: Option<(i64, i64)>) -> Grid {
        let mut recording = Trace::default();
        for (from_ns, to_ns) in spans {
            recording.covers("events", *from_ns, *to_ns);
        }
        Grid::new(&recording, "events", range)
    }

    #[test]
    fn pieces_are_equal_parts_of_what_was_observed() {
        let grid = grid(&[(100, 149), (0, 39), (20, 49)], None);
        assert_eq!((grid.pieces(), grid.observed_ns()), (10, 100));
        let pieces = [-1, 0, 9, 10, 49, 50, 99, 100, 109, 149, 150].map(|ns| grid.piece(ns));
        let none = None;
        assert_eq!(
            pieces,
            [none, Some(0), Some(0), Some(1), Some(4), none, none, Some(5), Some(5), Some(9), none]
        );
    }

    #[test]
    fn a_longer_recording_has_more_pieces_and_a_range_cuts_it() {
        let second = 1_000_000_000;
        assert_eq!(grid(&[(0, 15 * second)], None).pieces(), 15);
        assert_eq!(grid(&[(0, 3_600 * second)], None).pieces(), 30);
        let half = grid(&[(0, 15 * second)], Some((5 * second, 7 * second)));
        assert_eq!((half.pieces(), half.observed_ns()), (10, 2 * second));
        assert_eq!(half.piece(4 * second), None);
    }

    #[test]
    fn the_smallest_and_the_largest_times_are_survived() {
        let grid = grid(&[(i64::MIN, i64::MAX), (i64::MAX, i64::MIN)], None);
        assert_eq!(grid.piece(i64::MAX), None);
        assert!(grid.piece(0).is_some());
        assert_eq!(super::Grid::default().piece(0), None);
    }
}
