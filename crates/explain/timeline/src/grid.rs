//! A range of time cut into pieces, and levels that are spread over them.
//!
//! A time lies in exactly one piece: a piece includes its first border, but not its last.

use base::number::{count, real};
use model::{Trace, sorted_range};

/// More pieces than any picture has columns for.
pub const MAX_PIECES: usize = 4096;

/// A half-open range of time, in nanoseconds since the session's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first time in it.
    pub from_ns: i64,
    /// The first time behind it.
    pub to_ns: i64,
}

impl Span {
    /// All of a recording, including its last event.
    pub fn whole(recording: &Trace) -> Self {
        Self { from_ns: 0, to_ns: recording.exhibit.duration_ns.max(0).saturating_add(1) }
    }

    /// Its length. 0 if it is reversed.
    pub fn len_ns(self) -> i64 {
        self.to_ns.saturating_sub(self.from_ns).max(0)
    }
}

/// The pieces of a range.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    pub(crate) span: Span,
    /// In ascending order, one more than pieces.
    borders: Vec<i64>,
}

impl Grid {
    /// Cuts a range. An empty or reversed range becomes one nanosecond long.
    pub(crate) fn new(span: Span, pieces: usize) -> Self {
        // Within these limits, no sum of two times overflows.
        const FAR: i64 = i64::MAX / 4;
        let from_ns = span.from_ns.clamp(-FAR, FAR);
        let to_ns = span.to_ns.clamp(from_ns + 1, FAR + 1);
        let length = i128::from(to_ns - from_ns);
        // Between 1 and the most pieces, so it fits.
        let pieces = i128::try_from(pieces.clamp(1, MAX_PIECES)).unwrap_or(1).min(length);
        // Rounded up, so that a time is in the piece that exact division would give. A border lies within the range, so it fits.
        let border = |at: i128| i64::try_from((at * length + pieces - 1) / pieces).unwrap_or(0) + from_ns;
        Self { span: Span { from_ns, to_ns }, borders: (0..=pieces).map(border).collect() }
    }

    /// The same pieces with other times for their borders. `time` must keep the order of times.
    pub(crate) fn mapped(&self, time: impl Fn(i64) -> i64) -> Self {
        let span = Span { from_ns: time(self.span.from_ns), to_ns: time(self.span.to_ns) };
        Self { span, borders: self.borders.iter().map(|border| time(*border)).collect() }
    }

    /// How many pieces there are.
    pub(crate) fn len(&self) -> usize {
        self.borders.len().saturating_sub(1)
    }

    /// The borders of each piece.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.borders.iter().zip(self.borders.iter().skip(1)).map(|(from, to)| (*from, *to))
    }

    /// The length of each piece.
    pub(crate) fn widths(&self) -> impl Iterator<Item = f64> + '_ {
        self.pieces().map(|(from, to)| real(to - from))
    }

    /// The piece that holds a time. `None` outside of the range.
    pub(crate) fn piece(&self, ns: i64) -> Option<usize> {
        if ns < self.span.from_ns || ns >= self.span.to_ns {
            return None;
        }
        self.borders.partition_point(|border| *border <= ns).checked_sub(1)
    }

    /// The rows of an ascending column that lie in the range.
    pub(crate) fn rows(&self, ascending: &[i64]) -> std::ops::Range<usize> {
        let range = sorted_range(ascending, self.span.from_ns, self.span.to_ns - 1);
        range.start..range.end.min(ascending.len())
    }

    /// The rows of an ascending column that lie in each piece.
    pub(crate) fn rows_of_pieces<'a>(
        &'a self,
        ascending: &'a [i64],
    ) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
        let range = self.rows(ascending);
        let mut start = range.start;
        self.pieces().map(move |(_, to)| {
            let rest = ascending.get(start..range.end).unwrap_or_default();
            let first = start;
            start += rest.partition_point(|ns| *ns < to);
            first..start
        })
    }

    /// How many rows of an ascending column lie in each piece.
    pub(crate) fn counts(&self, ascending: &[i64]) -> Vec<f64> {
        self.rows_of_pieces(ascending).map(|rows| count(rows.len())).collect()
    }
}

/// Levels that hold for some time, summed up in pieces: level × nanoseconds.
///
/// Adding a level takes the same time whatever its length: for whole pieces, only the change of level at both ends is kept.
#[derive(Debug)]
pub(crate) struct Spread<'a> {
    grid: &'a Grid,
    /// Sums of pieces that a level covers in part.
    partial: Vec<f64>,
    /// Changes of the level at the beginnings of pieces.
    change: Vec<f64>,
}

impl<'a> Spread<'a> {
    pub(crate) fn new(grid: &'a Grid) -> Self {
        Self { grid, partial: vec![0.0; grid.len()], change: vec![0.0; grid.len() + 1] }
    }

    /// Adds a level that holds for a half-open time.
    pub(crate) fn add(&mut self, from_ns: i64, to_ns: i64, level: f64) {
        let from = from_ns.max(self.grid.span.from_ns);
        let to = to_ns.min(self.grid.span.to_ns);
        if from >= to {
            return;
        }
        let (Some(first), Some(last)) = (self.grid.piece(from), self.grid.piece(to - 1)) else { return };
        if first == last {
            add(&mut self.partial, first, level * real(to - from));
            return;
        }
        let border = |at: usize| self.grid.borders.get(at).copied().unwrap_or(to);
        add(&mut self.partial, first, level * real(border(first + 1) - from));
        add(&mut self.partial, last, level * real(to - border(last)));
        add(&mut self.change, first + 1, level);
        add(&mut self.change, last, -level);
    }

    /// The sum of each piece.
    pub(crate) fn finish(self) -> Vec<f64> {
        let mut level = 0.0;
        let pieces = self.grid.widths().zip(self.change).zip(self.partial);
        let sums = pieces.map(|((width, change), partial)| {
            level += change;
            // Adding and subtracting leaves rounding errors, which are not a level.
            let whole = if level.abs() < 1e-9 { 0.0 } else { level * width };
            whole + partial
        });
        sums.collect()
    }
}

fn add(list: &mut [f64], at: usize, amount: f64) {
    if let Some(sum) = list.get_mut(at) {
        *sum += amount;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grid(from_ns: i64, to_ns: i64, pieces: usize) -> Grid {
        Grid::new(Span { from_ns, to_ns }, pieces)
    }

    #[test]
    fn a_border_belongs_to_the_piece_that_it_begins() {
        let grid = grid(0, 10, 4);
        assert_eq!(grid.pieces().collect::<Vec<_>>(), [(0, 3), (3, 5), (5, 8), (8, 10)]);
        assert_eq!(
            [-1, 0, 2, 3, 9, 10].map(|ns| grid.piece(ns)),
            [None, Some(0), Some(0), Some(1), Some(3), None]
        );
        assert_eq!(grid.counts(&[-1, 0, 2, 3, 3, 9, 10]), [2.0, 2.0, 0.0, 1.0]);
    }

    #[test]
    fn a_range_that_is_empty_or_turned_round_or_without_end_is_cut_all_the_same() {
        assert_eq!(grid(5, 5, 9).pieces().collect::<Vec<_>>(), [(5, 6)]);
        assert_eq!(grid(5, -5, 0).pieces().collect::<Vec<_>>(), [(5, 6)]);
        assert_eq!(grid(i64::MIN, i64::MAX, usize::MAX).len(), MAX_PIECES);
        assert_eq!(grid(i64::MAX, i64::MIN, 3).len(), 1);
    }

    #[test]
    fn a_level_over_several_pieces_is_in_each_by_its_part() {
        let grid = grid(0, 40, 4);
        let mut spread = Spread::new(&grid);
        spread.add(5, 35, 2.0);
        spread.add(12, 15, 1.0);
        spread.add(-100, 3, 1.0);
        spread.add(39, 100, 1.0);
        assert_eq!(spread.finish(), [13.0, 23.0, 20.0, 11.0]);
    }

    proptest! {
        #[test]
        fn no_row_is_lost_between_pieces(
            mut times in prop::collection::vec(-50i64..150, 0..60),
            from in -20i64..100, length in 1i64..120, pieces in 1usize..40,
        ) {
            times.sort_unstable();
            let grid = grid(from, from + length, pieces);
            let total: f64 = grid.counts(&times).iter().sum();
            let expected = times.iter().filter(|ns| **ns >= from && **ns < from + length).count();
            prop_assert!((total - count(expected)).abs() < 0.5);
            for (rows, (from, to)) in grid.rows_of_pieces(&times).zip(grid.pieces()) {
                prop_assert!(times[rows].iter().all(|ns| (from..to).contains(ns)));
            }
        }

        #[test]
        fn levels_over_the_pieces_are_the_levels_over_the_range(
            stretches in prop::collection::vec((-50i64..150, 0i64..90, 0u8..4), 0..30),
            from in -20i64..100, length in 1i64..120, pieces in 1usize..40,
        ) {
            let (grid, whole) = (grid(from, from + length, pieces), grid(from, from + length, 1));
            let (mut spread, mut all) = (Spread::new(&grid), Spread::new(&whole));
            for (start, length, level) in stretches {
                spread.add(start, start + length, f64::from(level));
                all.add(start, start + length, f64::from(level));
            }
            let total: f64 = spread.finish().iter().sum();
            prop_assert!((total - all.finish()[0]).abs() < 1e-6);
        }
    }
}
