//! The intervals of a latency log, each with its buckets.

use base::number::real_u64;
use model::{Load, Sym};
use std::collections::BTreeMap;

/// Latencies of one interval, or of several.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Interval {
    pub(crate) ts_ns: i64,
    pub(crate) dur_ns: i64,
    /// From, to and count of each bucket, ascending; milliseconds.
    pub(crate) buckets: Vec<(f64, f64, u64)>,
}

impl Interval {
    /// When it ends.
    pub(crate) fn end_ns(&self) -> i64 {
        self.ts_ns.saturating_add(self.dur_ns)
    }

    /// How many requests it has.
    pub(crate) fn total(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, (.., count)| sum.saturating_add(*count))
    }

    /// How many took at least so long.
    pub(crate) fn at_least(&self, ms: f64) -> u64 {
        let slow = self.buckets.iter().filter(|(from, ..)| *from >= ms);
        slow.fold(0, |sum, (.., count)| sum.saturating_add(*count))
    }

    /// The longest, as the middle of its bucket on a logarithmic scale.
    pub(crate) fn longest(&self) -> Option<f64> {
        self.buckets.iter().rev().find(|(.., count)| *count > 0).map(middle)
    }

    /// A quantile, as the middle of its bucket.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share * real_u64(self.total())).ceil().max(1.0);
        let mut before = 0u64;
        let found = self.buckets.iter().find(|(.., count)| {
            before = before.saturating_add(*count);
            real_u64(before) >= rank
        });
        found.map(middle)
    }

    /// Adds the requests of another one, and its time.
    pub(crate) fn join(&mut self, other: &Self) {
        let end = self.end_ns().max(other.end_ns());
        self.ts_ns = self.ts_ns.min(other.ts_ns);
        self.dur_ns = end.saturating_sub(self.ts_ns);
        let mut sums: BTreeMap<u64, (f64, f64, u64)> = BTreeMap::new();
        // Positive doubles are in the order of their bits.
        for (from, to, count) in self.buckets.iter().chain(&other.buckets) {
            let of = sums.entry(from.to_bits()).or_insert((*from, *to, 0));
            of.2 = of.2.saturating_add(*count);
        }
        self.buckets = sums.into_values().collect();
    }
}

/// The middle of a bucket on a logarithmic scale.
fn middle((from, to, _): &(f64, f64, u64)) -> f64 {
    if *from > 0.0 { (from * to).sqrt() } else { *to }
}

/// The intervals of one basis, by time. Intervals that begin at one time are one.
pub(crate) fn intervals(load: &Load, basis: Option<Sym>) -> Vec<Interval> {
    let of = &load.histogram;
    let mut intervals: Vec<Interval> = Vec::new();
    for row in (0..of.ts_ns.len()).filter_map(|at| of.row(at)).filter(|row| Some(row.basis) == basis) {
        let bucket = (row.from_ms, row.to_ms, u64::try_from(row.count).unwrap_or(0));
        match intervals.last_mut().filter(|last| last.ts_ns == row.ts_ns) {
            Some(last) => {
                last.dur_ns = last.dur_ns.max(row.dur_ns);
                last.buckets.push(bucket);
            }
            None => intervals.push(Interval { ts_ns: row.ts_ns, dur_ns: row.dur_ns, buckets: vec![bucket] }),
        }
    }
    for interval in &mut intervals {
        interval.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    intervals
}

/// All of them as one.
pub(crate) fn whole(intervals: &[Interval]) -> Interval {
    let mut sums: BTreeMap<u64, (f64, f64, u64)> = BTreeMap::new();
    for (from, to, count) in intervals.iter().flat_map(|of| &of.buckets) {
        let of = sums.entry(from.to_bits()).or_insert((*from, *to, 0));
        of.2 = of.2.saturating_add(*count);
    }
    let ts_ns = intervals.iter().map(|of| of.ts_ns).min().unwrap_or(0);
    let end = intervals.iter().map(Interval::end_ns).max().unwrap_or(0);
    Interval { ts_ns, dur_ns: end.saturating_sub(ts_ns), buckets: sums.into_values().collect() }
}

/// The median latency of each quarter of the run. `None` with fewer intervals.
pub(crate) fn quarters(intervals: &[Interval]) -> Option<Vec<f64>> {
    const QUARTERS: usize = 4;
    if intervals.len() < QUARTERS {
        return None;
    }
    joined(intervals, QUARTERS).iter().map(|of| of.quantile(0.5)).collect()
}

/// Joins neighbours until there are no more than so many.
pub(crate) fn joined(intervals: &[Interval], most: usize) -> Vec<Interval> {
    let each = intervals.len().div_ceil(most.max(1)).max(1);
    let groups = intervals.chunks(each).filter_map(|group| {
        let (first, rest) = group.split_first()?;
        let mut one = first.clone();
        for other in rest {
            one.join(other);
        }
        Some(one)
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_intervals_have_all_requests_and_all_of_the_time() {
        let one = |ts_ns, from: f64| Interval { ts_ns, dur_ns: 10, buckets: vec![(from, from * 2.0, 3)] };
        let joined = joined(&[one(0, 1.0), one(10, 4.0), one(20, 1.0)], 2);
        assert_eq!((joined.len(), joined[0].end_ns(), joined[0].total()), (2, 20, 6));
        let whole = whole(&[one(0, 1.0), one(10, 4.0), one(20, 1.0)]);
        assert_eq!((whole.buckets[0].2, whole.at_least(2.0), whole.end_ns()), (6, 3, 30));
        assert_eq!((whole.quantile(0.5), whole.longest()), (Some(2f64.sqrt()), Some(32f64.sqrt())));
    }
}
