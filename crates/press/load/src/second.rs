//! What happened within a second of a run.

use crate::plan::Plan;
use crate::record::{Counts, Latencies};

/// A p95 needs at least so many requests in its second.
const MIN_FOR_P95: u64 = 100;

/// What happened within a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Second {
    /// When it begins, in nanoseconds since the beginning.
    pub ts_ns: u64,
    /// How long it is.
    pub dur_ns: u64,
    /// Requests that were due. In a closed loop, those that were sent.
    pub asked: u64,
    /// The counts.
    pub counts: Counts,
    /// Its latencies.
    pub typical: Typical,
}

/// The latencies of one second, in nanoseconds. In a row of several seconds, their means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Typical {
    /// The median. `None` if nothing was answered.
    pub p50_ns: Option<u64>,
    /// 95 % took no longer. `None` with too few requests.
    pub p95_ns: Option<u64>,
}

impl Typical {
    /// Those of a second.
    pub(crate) fn of(plan: &Plan, latencies: &Latencies) -> Self {
        let of = if plan.planned().is_some() { &latencies.schedule } else { &latencies.send };
        let at = |quantile: f64, least: u64| (of.len() >= least).then(|| of.value_at_quantile(quantile));
        Self { p50_ns: at(0.5, 1), p95_ns: at(0.95, MIN_FOR_P95) }
    }

    /// Adds those of a further second to the means of `number` seconds.
    pub(crate) fn add(&mut self, other: Self, number: u64) {
        let mean = |sum: Option<u64>, other: Option<u64>| match (sum, other) {
            (Some(mean), Some(other)) => {
                let sum = u128::from(mean) * u128::from(number) + u128::from(other);
                u64::try_from(sum / (u128::from(number) + 1)).ok()
            }
            (one, other) => one.or(other),
        };
        *self = Self { p50_ns: mean(self.p50_ns, other.p50_ns), p95_ns: mean(self.p95_ns, other.p95_ns) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_several_seconds_have_means() {
        let mut of = Typical { p50_ns: Some(4), p95_ns: None };
        of.add(Typical { p50_ns: Some(10), p95_ns: Some(7) }, 2);
        assert_eq!(of, Typical { p50_ns: Some(6), p95_ns: Some(7) });
        of.add(Typical::default(), 3);
        assert_eq!(of, Typical { p50_ns: Some(6), p95_ns: Some(7) });
    }
}
