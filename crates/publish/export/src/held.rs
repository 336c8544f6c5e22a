//! How long each sample lasts: until the next sample of its thread.
//!
//! ```text
//!  looks       x   x   x               x   x        (a burst ends, another begins)
//!  a thread    ├───┼───┼──────╴        ├───┼──╴     a sample lasts three usual intervals or less,
//!                                                   the last one exactly one
//! ```
//!
//! The time between is unknown and belongs to no stack, not even the one that was sampled last.

use model::{Sampler, ThreadId, Trace};
use rustc_hash::FxHashMap;

/// A gap of more intervals than this is not part of the sample before it.
const MAX_INTERVALS: i64 = 3;

/// How long the samples last.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// The median time between two samples of a thread. `None` if no thread was sampled twice.
    pub(crate) interval_ns: Option<i64>,
    /// By row of `samples`, in nanoseconds; empty if the interval is unknown.
    pub(crate) ns: Vec<i64>,
}

impl Held {
    pub(crate) fn new(recording: &Trace) -> Self {
        let samples = &recording.samples;
        if let Sampler::Cpus { every_ns: Some(every_ns) } = recording.session.sampler {
            // Between two samples of a CPU the thread may have waited, so each sample lasts one interval.
            return Self { interval_ns: Some(every_ns), ns: vec![every_ns; samples.ts_ns.len()] };
        }
        // The gap between each sample and the next one of its thread.
        let mut last: FxHashMap<ThreadId, usize> = FxHashMap::default();
        let mut gaps: Vec<Option<i64>> = vec![None; samples.ts_ns.len()];
        for (row, (ts_ns, thread)) in samples.ts_ns.iter().zip(&samples.thread).enumerate() {
            let Some(earlier) = last.insert(*thread, row) else { continue };
            let from = samples.ts_ns.get(earlier).copied().unwrap_or(*ts_ns);
            if let Some(gap) = gaps.get_mut(earlier) {
                *gap = Some(ts_ns.saturating_sub(from).max(0));
            }
        }
        let mut known: Vec<i64> = gaps.iter().flatten().copied().filter(|gap| *gap > 0).collect();
        let middle = known.len() / 2;
        if known.is_empty() {
            return Self::default();
        }
        let usual = *known.select_nth_unstable(middle).1;
        let most = usual.saturating_mul(MAX_INTERVALS);
        let ns = gaps.into_iter().map(|gap| gap.map_or(usual, |gap| gap.min(most))).collect();
        Self { interval_ns: Some(usual), ns }
    }

    /// How long a row lasts; 0 if that is unknown.
    pub(crate) fn of(&self, row: usize) -> u64 {
        self.ns.get(row).and_then(|ns| u64::try_from(*ns).ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;

    #[test]
    fn the_time_between_two_bursts_belongs_to_no_stack() {
        let mut builder = Builder::default();
        for at in [0, 10, 20, 1_000, 1_010] {
            builder.sample(at, 1, "running", None, &["A"]);
        }
        builder.sample(1_020, 2, "running", None, &["B"]);
        let held = Held::new(&builder.done());
        let ms = 1_000_000;
        assert_eq!(held.interval_ns, Some(10 * ms));
        assert_eq!(held.ns, [10, 10, 30, 10, 10, 10].map(|of| of * ms));
    }

    #[test]
    fn a_sample_of_a_cpu_stands_for_itself_alone() {
        let mut builder = Builder::default();
        for at in [0, 10, 500] {
            builder.sample(at, 1, "running", None, &["A"]);
        }
        let mut recording = builder.done();
        recording.session.sampler = Sampler::Cpus { every_ns: Some(2_000_000) };
        assert_eq!(Held::new(&recording).ns, [2_000_000; 3]);
    }

    #[test]
    fn a_single_look_has_no_length() {
        let mut builder = Builder::default();
        builder.sample(5, 1, "running", None, &["A"]);
        builder.sample(5, 2, "running", None, &["A"]);
        assert_eq!(Held::new(&builder.done()), Held::default());
    }
}
