//! Values that counters and meters publish at intervals.
//!
//! ```text
//! gauge   t₀──────v₀──────t₁──────v₁──────t₂ …   a value holds until the next one
//! rate    t₀──────v₁──────t₁──────v₂──────t₂ …   a value is of the time before it
//! ```

use crate::grid::{Grid, Spread};

/// The interval if only one value was published: what EventCounters are usually asked for.
const USUAL_NS: i64 = 1_000_000_000;

/// The intervals of a counter.
struct Reach {
    usual_ns: i64,
    /// A value holds no longer than this. After a longer gap, values are missing.
    longest_ns: i64,
}

fn reach(times: &[(i64, f64)]) -> Reach {
    let mut gaps: Vec<i64> =
        times.iter().zip(times.iter().skip(1)).map(|(a, b)| b.0.saturating_sub(a.0)).collect();
    gaps.sort_unstable();
    let usual_ns = gaps.get(gaps.len() / 2).copied().filter(|gap| *gap > 0).unwrap_or(USUAL_NS);
    Reach { usual_ns, longest_ns: usual_ns.saturating_mul(5) / 2 }
}

/// The highest value of a gauge in each piece.
pub(crate) fn gauge(grid: &Grid, values: &[(i64, f64)]) -> Vec<Option<f64>> {
    let Reach { longest_ns, .. } = reach(values);
    let mut most: Vec<Option<f64>> = vec![None; grid.len()];
    for (at, (ns, value)) in values.iter().enumerate() {
        let next = values.get(at + 1).map_or(i64::MAX, |next| next.0);
        let to = next.min(ns.saturating_add(longest_ns)).max(ns.saturating_add(1)).min(grid.span.to_ns);
        let from = (*ns).max(grid.span.from_ns);
        if from >= to {
            continue;
        }
        let (Some(first), Some(last)) = (grid.piece(from), grid.piece(to - 1)) else { continue };
        for piece in most.iter_mut().take(last + 1).skip(first) {
            *piece = Some(piece.map_or(*value, |most| most.max(*value)));
        }
    }
    most
}

/// A value, and the time that it is of, half-open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interval {
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
    pub(crate) value: f64,
}

impl Interval {
    /// The same time with another value.
    pub(crate) fn with(self, value: f64) -> Self {
        Self { value, ..self }
    }
}

/// The values of a rate, each with the time that it is of.
pub(crate) fn intervals(values: &[(i64, f64)]) -> impl Iterator<Item = Interval> + '_ {
    let Reach { usual_ns, longest_ns } = reach(values);
    values.iter().enumerate().map(move |(at, (to_ns, value))| {
        let before = at.checked_sub(1).and_then(|before| values.get(before)).map(|before| before.0);
        let near = before.filter(|before| to_ns.saturating_sub(*before) <= longest_ns && before < to_ns);
        // Without a value shortly before, a value is of the usual interval.
        let from_ns = near.unwrap_or(to_ns.saturating_sub(usual_ns));
        Interval { from_ns, to_ns: *to_ns, value: *value }
    })
}

/// The mean of a rate in each piece, weighted by time. A piece without any interval has no value.
pub(crate) fn mean(grid: &Grid, rates: impl Iterator<Item = Interval>) -> Vec<Option<f64>> {
    let (mut sums, mut times) = (Spread::new(grid), Spread::new(grid));
    for Interval { from_ns, to_ns, value } in rates.filter(|of| of.value.is_finite()) {
        sums.add(from_ns, to_ns, value);
        times.add(from_ns, to_ns, 1.0);
    }
    let pieces = sums.finish().into_iter().zip(times.finish());
    pieces.map(|(sum, ns)| (ns > 0.0).then(|| sum / ns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::Span;

    #[test]
    fn a_gauge_stands_until_the_next_value_and_not_over_a_hole() {
        let grid = Grid::new(Span { from_ns: 0, to_ns: 100 }, 10);
        let values = gauge(&grid, &[(10, 1.0), (20, 5.0), (30, 2.0), (80, 3.0)]);
        let expected =
            [None, Some(1.0), Some(5.0), Some(2.0), Some(2.0), Some(2.0), None, None, Some(3.0), Some(3.0)];
        assert_eq!(values, expected);
        // The value before the range holds at its beginning. Of several in a piece, the highest counts.
        let grid = Grid::new(Span { from_ns: 12, to_ns: 40 }, 1);
        assert_eq!(gauge(&grid, &[(10, 9.0), (20, 5.0), (30, 2.0)]), [Some(9.0)]);
        assert_eq!(gauge(&grid, &[]), [None]);
    }

    #[test]
    fn a_rate_is_of_the_time_before_it() {
        let grid = Grid::new(Span { from_ns: 0, to_ns: 40 }, 4);
        let published = [(10, 1.0), (20, 3.0), (35, 5.0)];
        let values = mean(&grid, intervals(&published));
        assert_eq!(values, [Some(1.0), Some(3.0), Some(5.0), Some(5.0)]);
        let halves = Grid::new(Span { from_ns: 0, to_ns: 20 }, 1);
        assert_eq!(mean(&halves, intervals(&published)), [Some(2.0)]);
        let damaged = Interval { from_ns: 0, to_ns: 20, value: f64::NAN };
        assert_eq!(mean(&halves, [damaged].into_iter()), [None]);
    }
}
