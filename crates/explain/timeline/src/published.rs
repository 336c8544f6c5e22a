//! Values that are published from time to time, by counters and meters.
//!
//! ```text
//! gauge   t₀──────v₀──────t₁──────v₁──────t₂ …   stands until the next one
//! rate    t₀──────v₁──────t₁──────v₂──────t₂ …   tells of the time before it
//! ```

use crate::grid::{Grid, Spread};

/// The time between two values where there is only one: what EventCounters are commonly asked for.
const USUAL_NS: i64 = 1_000_000_000;

/// A value reaches over no more than so many usual times between two: beyond that one is missing.
fn reach(times: &[(i64, f64)]) -> (i64, i64) {
    let mut gaps: Vec<i64> =
        times.iter().zip(times.iter().skip(1)).map(|(a, b)| b.0.saturating_sub(a.0)).collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len() / 2).copied().filter(|gap| *gap > 0).unwrap_or(USUAL_NS);
    (usual, usual.saturating_mul(5) / 2)
}

/// The most that a gauge stood at in each piece.
pub(crate) fn gauge(grid: &Grid, values: &[(i64, f64)]) -> Vec<Option<f64>> {
    let (_, longest) = reach(values);
    let mut most: Vec<Option<f64>> = vec![None; grid.len()];
    for (at, (ns, value)) in values.iter().enumerate() {
        let next = values.get(at + 1).map_or(i64::MAX, |next| next.0);
        let to = next.min(ns.saturating_add(longest)).max(ns.saturating_add(1)).min(grid.span.to_ns);
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

/// The time that each value of a rate tells of: from, to, value.
pub(crate) fn intervals(values: &[(i64, f64)]) -> impl Iterator<Item = (i64, i64, f64)> + '_ {
    let (usual, longest) = reach(values);
    values.iter().enumerate().map(move |(at, (ns, value))| {
        let before = at.checked_sub(1).and_then(|before| values.get(before)).map(|before| before.0);
        let near = before.filter(|before| ns.saturating_sub(*before) <= longest && before < ns);
        (near.unwrap_or(ns.saturating_sub(usual)), *ns, *value)
    })
}

/// The mean of a rate in each piece, by the parts of the time that its values tell of.
pub(crate) fn mean(grid: &Grid, told: impl Iterator<Item = (i64, i64, f64)>) -> Vec<Option<f64>> {
    let (mut sums, mut times) = (Spread::new(grid), Spread::new(grid));
    for (from, to, value) in told.filter(|(.., value)| value.is_finite()) {
        sums.add(from, to, value);
        times.add(from, to, 1.0);
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
        // The value before the range stands at its beginning; of several in a piece the most counts.
        let grid = Grid::new(Span { from_ns: 12, to_ns: 40 }, 1);
        assert_eq!(gauge(&grid, &[(10, 9.0), (20, 5.0), (30, 2.0)]), [Some(9.0)]);
        assert_eq!(gauge(&grid, &[]), [None]);
    }

    #[test]
    fn a_rate_tells_of_the_time_before_it() {
        let grid = Grid::new(Span { from_ns: 0, to_ns: 40 }, 4);
        let told = [(10, 1.0), (20, 3.0), (35, 5.0)];
        let values = mean(&grid, intervals(&told));
        assert_eq!(values, [Some(1.0), Some(3.0), Some(5.0), Some(5.0)]);
        let halves = Grid::new(Span { from_ns: 0, to_ns: 20 }, 1);
        assert_eq!(mean(&halves, intervals(&told)), [Some(2.0)]);
        assert_eq!(mean(&halves, [(0, 20, f64::NAN)].into_iter()), [None]);
    }
}
