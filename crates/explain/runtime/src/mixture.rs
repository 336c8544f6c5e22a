//! What quantiles of parts say of the whole: bounds, and nothing closer.
//!
//! A meter publishes quantiles of each second and set of tags. They do not add up: the median of ten p99 is the p99 of
//! nothing. But each says how many values of its part are at most, and at least, so large, and these counts do add up.
//!
//! ```text
//! a part of 200 values, p50 = 2 ms     at most 100 are below 2 ms, at least 101 are not above it
//! a part of  10 values, p50 = 80 ms    at most   5 are below 80 ms, at least  6 are not above it
//! the p99 of the 210 (the 208th)       at most 205 are below 80 ms: it is 80 ms or more
//! ```

/// What is known of a value: that it is not below, and not above.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// It is this or more.
    pub low: f64,
    /// It is this or less.
    pub high: f64,
}

impl Bounds {
    /// A value that is known exactly.
    pub fn exactly(value: f64) -> Self {
        Self { low: value, high: value }
    }

    /// The nearest value that is possible.
    pub(crate) fn nearest(self, value: f64) -> f64 {
        value.max(self.low).min(self.high)
    }
}

/// A part of the whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    /// How many values it has.
    pub count: u64,
    /// Quantiles, each by its share in thousandths.
    pub quantiles: Vec<(u64, f64)>,
}

impl Part {
    /// A value with how many of the part are below it at most, and how many not above it at least.
    fn points(&self) -> impl Iterator<Item = (f64, u64, u64)> + '_ {
        self.quantiles.iter().map(move |(per_mille, value)| {
            let before = before(self.count, *per_mille);
            (*value, before, before.saturating_add(1).min(self.count))
        })
    }
}

/// How many of sorted values stand before a quantile, as .NET's meters take it: the share of them, rounded down.
fn before(count: u64, per_mille: u64) -> u64 {
    (count.saturating_mul(per_mille) / 1_000).min(count.saturating_sub(1))
}

/// The bounds of a quantile of all parts together. `None` without values, and where they leave one side open.
pub(crate) fn bounds(parts: &[Part], per_mille: u64) -> Option<Bounds> {
    let all = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.count));
    let rank = before(all, per_mille).saturating_add(1);
    // What each value adds to how many are below anything larger, and to how many are not above it or anything larger.
    let mut steps: Vec<(f64, u64, u64)> = Vec::new();
    let mut below = 0u64;
    for part in parts.iter().filter(|part| part.count > 0) {
        let mut points: Vec<(f64, u64, u64)> = part.points().filter(|point| point.0.is_finite()).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        below = below.saturating_add(points.first().map_or(part.count, |point| point.1));
        let mut reached = 0;
        for (at, (value, before, until)) in points.iter().enumerate() {
            let next = points.get(at + 1).map_or(part.count, |point| point.1);
            steps.push((*value, next.saturating_sub(*before), until.saturating_sub(reached)));
            reached = reached.max(*until);
        }
    }
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut low, mut high, mut until) = (None, None, 0u64);
    for same in steps.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let value = same.first().map_or(f64::NAN, |step| step.0);
        if below < rank {
            low = Some(value);
        }
        for (_, later, at_most) in same {
            below = below.saturating_add(*later);
            until = until.saturating_add(*at_most);
        }
        if until >= rank && high.is_none() {
            high = Some(value);
        }
    }
    let (low, high) = (low?, high?);
    (low <= high).then_some(Bounds { low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(values: &[i64]) -> Part {
        let mut values = values.to_vec();
        values.sort_unstable();
        let at = |per_mille: usize| {
            let index = (values.len() * per_mille / 1_000).min(values.len() - 1);
            (u64::try_from(per_mille).unwrap(), f64::from(i32::try_from(values[index]).unwrap()))
        };
        Part { count: u64::try_from(values.len()).unwrap(), quantiles: [500, 950, 990].map(at).to_vec() }
    }

    fn check(parts: &[Vec<i64>], per_mille: u16, expected: Option<(f64, f64)>) {
        let of: Vec<Part> = parts.iter().map(|values| part(values)).collect();
        let found = bounds(&of, u64::from(per_mille)).map(|of| (of.low, of.high));
        if let Some(expected) = expected {
            assert_eq!(found, Some(expected));
        }
        let mut all = parts.concat();
        all.sort_unstable();
        let truth = all[(all.len() * usize::from(per_mille) / 1_000).min(all.len() - 1)];
        let truth = f64::from(i32::try_from(truth).unwrap());
        let (low, high) = found.unwrap();
        assert!(low <= truth && truth <= high, "{low} <= {truth} <= {high} of {parts:?}");
    }

    #[test]
    fn the_p99_of_a_fast_and_a_slow_route_is_not_that_of_the_fast_one() {
        let (fast, slow): (Vec<i64>, Vec<i64>) = ((0..950).map(|n| 1 + n % 5).collect(), vec![80; 50]);
        check(&[fast.clone(), slow.clone()], 990, Some((80.0, 80.0)));
        check(&[fast, slow], 500, Some((3.0, 5.0)));
    }

    #[test]
    fn the_largest_of_few_values_is_known_exactly() {
        check(&[vec![3, 9], vec![1_210], vec![4, 5, 6]], 990, Some((1_210.0, 1_210.0)));
    }

    #[test]
    fn the_true_quantile_is_never_outside_of_the_bounds() {
        let mut state = 7u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from((state >> 33) % below).unwrap()
        };
        for _ in 0..300 {
            let parts: Vec<Vec<i64>> = (0..=next(6))
                .map(|_| {
                    let (size, spread) = (1 + next(240), 1 + u64::try_from(next(1_000)).unwrap());
                    (0..size).map(|_| next(spread)).collect()
                })
                .collect();
            check(&parts, 500, None);
            check(&parts, 990, None);
        }
    }

    #[test]
    fn a_part_without_quantiles_leaves_the_whole_open() {
        let known = Part { count: 10, quantiles: vec![(500, 1.0), (990, 2.0)] };
        let unknown = Part { count: 10, quantiles: Vec::new() };
        assert_eq!(bounds(&[known.clone(), unknown.clone()], 990), None);
        assert_eq!(bounds(&[unknown], 500), None);
        assert_eq!(bounds(&[], 500), None);
        let damaged = Part { count: u64::MAX, quantiles: vec![(500, f64::NAN), (990, 3.0)] };
        assert!(bounds(&[known, damaged], 990).is_none_or(|of| of.low <= of.high));
    }
}
