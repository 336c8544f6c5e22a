//! Counts of latencies: of a whole run, and of one interval.
//!
//! The counts of a run are exact to one part in 8,192, and have the borders of HdrHistogram among their own, so that the
//! quantiles of histograms with up to three digits are the ones that HdrHistogram computes. Those of an interval are
//! coarser: 40 buckets for each factor of ten, enough for a picture.

use base::number::{real_u64, wide};

/// Buckets for each doubling, of the counts of a run.
const EACH_DOUBLING: u64 = 1 << DOUBLING_BITS;
const DOUBLING_BITS: u32 = 13;

/// Buckets for each factor of ten, of the counts of an interval.
const EACH_DECADE: u16 = 40;
/// Factors of ten from a nanosecond to the largest number of them.
const DECADES: u16 = 20;

/// How many requests took how long, over a whole run.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// By bucket; as long as the largest value needs.
    buckets: Vec<u64>,
    pub(super) total: u64,
}

impl Counts {
    /// Adds requests that took so many nanoseconds.
    pub(super) fn add(&mut self, nanos: u64, count: u64) {
        let Ok(bucket) = usize::try_from(bucket_of(nanos)) else { return };
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket.saturating_add(1), 0);
        }
        if let Some(of) = self.buckets.get_mut(bucket) {
            *of = of.saturating_add(count);
            self.total = self.total.saturating_add(count);
        }
    }

    /// The time that this share of the requests did not exceed, in nanoseconds: the largest of its bucket, as
    /// HdrHistogram does it. `None` without requests.
    pub(super) fn quantile(&self, share: f64) -> Option<u64> {
        // A product such as 0.999 × 1000 may end up a hair above the whole number that it is.
        let rank = (share * real_u64(self.total) - 1e-9).ceil().max(1.0);
        let mut before = 0u64;
        let found = self.buckets.iter().position(|count| {
            before = before.saturating_add(*count);
            real_u64(before) >= rank && *count > 0
        });
        found.map(|bucket| largest_of(wide(bucket)))
    }
}

/// The bucket of a value: each value below 2 × 8,192 has its own, and each doubling beyond has 8,192.
fn bucket_of(nanos: u64) -> u64 {
    let bits = u64::BITS.saturating_sub(nanos.leading_zeros());
    let shift = bits.saturating_sub(DOUBLING_BITS.saturating_add(1));
    // The shifted value is below 2 × 8,192, and there are at most 50 doublings beyond.
    (nanos >> shift).saturating_add(u64::from(shift).saturating_mul(EACH_DOUBLING))
}

/// The largest value of a bucket.
fn largest_of(bucket: u64) -> u64 {
    let shift = (bucket / EACH_DOUBLING).saturating_sub(1);
    let within = bucket.saturating_sub(shift.saturating_mul(EACH_DOUBLING));
    let next = u128::from(within).saturating_add(1) << shift;
    u64::try_from(next.saturating_sub(1)).unwrap_or(u64::MAX)
}

/// The borders of the buckets of an interval, in nanoseconds: bucket `n` is from border `n - 1` to border `n`.
#[derive(Debug)]
pub(super) struct Borders(Vec<f64>);

impl Default for Borders {
    fn default() -> Self {
        let border = |at: u16| 10f64.powf(f64::from(at) / f64::from(EACH_DECADE));
        Self((0..=DECADES.saturating_mul(EACH_DECADE)).map(border).collect())
    }
}

impl Borders {
    /// The bucket of a value.
    pub(super) fn bucket(&self, nanos: f64) -> u16 {
        u16::try_from(self.0.partition_point(|border| *border <= nanos)).unwrap_or(u16::MAX)
    }

    /// The ends of a bucket in milliseconds.
    pub(super) fn ends_ms(&self, bucket: u16) -> (f64, f64) {
        let at = |at: usize| self.0.get(at).map_or(f64::NAN, |nanos| nanos / 1e6);
        let bucket = usize::from(bucket);
        (bucket.checked_sub(1).map_or(0.0, at), at(bucket))
    }
}

/// Counts of an interval, by the numbers of their buckets in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Coarse(pub(super) Vec<(u16, u64)>);

impl Coarse {
    /// Adds to a bucket.
    pub(super) fn add(&mut self, bucket: u16, count: u64) {
        // Values come in ascending order, so that the last bucket is almost always the one.
        match self.0.last_mut() {
            Some((last, sum)) if *last == bucket => *sum = sum.saturating_add(count),
            Some((last, _)) if *last > bucket => match self.0.binary_search_by_key(&bucket, |(of, _)| *of) {
                Ok(at) => {
                    if let Some((_, sum)) = self.0.get_mut(at) {
                        *sum = sum.saturating_add(count);
                    }
                }
                Err(at) => self.0.insert(at, (bucket, count)),
            },
            _ => self.0.push((bucket, count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_values_and_no_other() {
        for nanos in [0, 1, 16_383, 16_384, 16_385, 1_000_000, 123_456_789, u64::MAX - 1, u64::MAX] {
            let largest = largest_of(bucket_of(nanos));
            assert!(largest >= nanos && largest - nanos <= nanos / 8192, "{nanos}: {largest}");
            assert_eq!(bucket_of(largest), bucket_of(nanos), "{nanos}");
            if largest < u64::MAX {
                assert_eq!(bucket_of(largest + 1), bucket_of(nanos) + 1, "{nanos}");
            }
        }
    }

    #[test]
    fn a_quantile_is_a_value_that_occurs() {
        let mut counts = Counts::default();
        assert_eq!(counts.quantile(0.5), None);
        (1..=1000).for_each(|nanos| counts.add(nanos, 1));
        let at = [0.0, 0.5, 0.99, 0.999, 1.0].map(|share| counts.quantile(share).unwrap());
        assert_eq!(at, [1, 500, 990, 999, 1000]);
    }

    #[test]
    fn buckets_of_an_interval_meet_and_hold_their_values() {
        let borders = Borders::default();
        assert_eq!((borders.bucket(0.0), borders.ends_ms(0)), (0, (0.0, 1e-6)));
        for nanos in [1.0, 999.0, 1e6, 5e8, 1.8e19] {
            let (from, to) = borders.ends_ms(borders.bucket(nanos));
            assert!(from * 1e6 <= nanos * 1.000_001 && nanos < to * 1e6, "{nanos}: {from} {to}");
        }
        let mut coarse = Coarse::default();
        for (bucket, count) in [(5, 1), (7, 1), (5, 2), (6, 1), (7, 1)] {
            coarse.add(bucket, count);
        }
        assert_eq!(coarse.0, [(5, 3), (6, 1), (7, 2)]);
    }
}
