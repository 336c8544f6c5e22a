//! Bounds for the quantiles of a whole, from the quantiles of its parts.
//!
//! A meter publishes quantiles of each second and set of tags. They do not add up: the median of ten p99 is not a p99 of
//! anything. But each says how many values of its part are at most, and at least, that large. These counts add up.
//!
//! ```text
//! a part of 200 values, p50 = 2 ms     at most 100 are below 2 ms, at least 101 are not above it
//! a part of  10 values, p50 = 80 ms    at most   5 are below 80 ms, at least  6 are not above it
//! the p99 of the 210 (the 208th)       at most 205 are below 80 ms: it is 80 ms or more
//! ```

/// The range that a value lies in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The value is at least this.
    pub low: f64,
    /// The value is at most this.
    pub high: f64,
}

impl Bounds {
    /// A value that is known exactly.
    pub fn exactly(value: f64) -> Self {
        Self { low: value, high: value }
    }

    /// The nearest value within the bounds.
    pub(crate) fn nearest(self, value: f64) -> f64 {
        value.max(self.low).min(self.high)
    }
}

/// A part of the whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    /// How many values it has.
    pub count: u64,
    /// Quantiles: the share in thousandths, and the value.
    pub quantiles: Vec<(u64, f64)>,
}

impl Part {
    fn points(&self) -> impl Iterator<Item = Point> + '_ {
        self.quantiles.iter().map(move |(per_mille, value)| {
            let below = before(self.count, *per_mille);
            Point { value: *value, below, up_to: below.saturating_add(1).min(self.count) }
        })
    }
}

/// What a quantile says of the values of its part.
#[derive(Debug, Clone, Copy)]
struct Point {
    value: f64,
    /// How many values are below it, at most.
    below: u64,
    /// How many values are not above it, at least.
    up_to: u64,
}

/// How much further a value takes the counts of the whole.
#[derive(Debug, Clone, Copy)]
struct Step {
    value: f64,
    /// Values that may be below anything larger, which were not counted before.
    below: u64,
    /// Values that are not above it, which were not counted before.
    up_to: u64,
}

/// How many sorted values come before a quantile, as .NET's meters define it: the share of them, rounded down.
fn before(count: u64, per_mille: u64) -> u64 {
    (count.saturating_mul(per_mille) / 1_000).min(count.saturating_sub(1))
}

/// The bounds of a quantile of all parts together. `None` without values, or if one side is open.
pub(crate) fn bounds(parts: &[Part], per_mille: u64) -> Option<Bounds> {
    let all = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.count));
    let rank = before(all, per_mille).saturating_add(1);
    let mut steps: Vec<Step> = Vec::new();
    let mut below = 0u64;
    for part in parts.iter().filter(|part| part.count > 0) {
        let mut points: Vec<Point> = part.points().filter(|point| point.value.is_finite()).collect();
        points.sort_by(|a, b| a.value.total_cmp(&b.value).then(a.below.cmp(&b.below)));
        // Up to the first quantile, that many values of the part may be below anything.
        below = below.saturating_add(points.first().map_or(part.count, |point| point.below));
        let mut counted = 0;
        for (at, point) in points.iter().enumerate() {
            let next = points.get(at + 1).map_or(part.count, |point| point.below);
            steps.push(Step {
                value: point.value,
                below: next.saturating_sub(point.below),
                up_to: point.up_to.saturating_sub(counted),
            });
            counted = counted.max(point.up_to);
        }
    }
    steps.sort_by(|a, b| a.value.total_cmp(&b.value));
    let (mut low, mut high, mut up_to) = (None, None, 0u64);
    for same in steps.chunk_by(|a, b| a.value.total_cmp(&b.value).is_eq()) {
        let Some(value) = same.first().map(|step| step.value) else { continue };
        // Too few values can be below this one for the quantile to be among them.
        if below < rank {
            low = Some(value);
        }
        for step in same {
            below = below.saturating_add(step.below);
            up_to = up_to.saturating_add(step.up_to);
        }
        // Enough values are certainly not above this one.
        if up_to >= rank && high.is_none() {
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
