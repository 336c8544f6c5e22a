//! What a run amounts to: rates, percentiles, and how well the generator did.

use crate::generator::{Generator, STOPPED_NS};
use crate::plan::Plan;
use crate::record::Latencies;
use crate::run::Run;
use base::number::real_u64;
use hdrhistogram::Histogram;

/// A percentile needs at least so many values above it and below it.
const MIN_BEYOND: f64 = 5.0;
/// Above this share of a core, a thread of the generator has no room for a delay.
const FULL_CORE: f64 = 0.9;
/// A generator whose lateness at p99 is above this share of the latency at p99 is a part of what it measures.
const LATE_SHARE: f64 = 0.1;
/// No lateness below this, in milliseconds, limits anything.
const MIN_LATE_MS: f64 = 1.0;

/// Percentiles in milliseconds. One without enough values above it is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Percentiles {
    /// Half took no longer.
    pub p50: Option<f64>,
    /// 90 % took no longer.
    pub p90: Option<f64>,
    /// 95 % took no longer.
    pub p95: Option<f64>,
    /// 99 % took no longer.
    pub p99: Option<f64>,
    /// 99.9 % took no longer.
    pub p999: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

impl Percentiles {
    /// Those of a histogram.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| quantile_ms(histogram, quantile);
        let max = Some(histogram.max()).filter(|_| !histogram.is_empty());
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: max.map(|ns| real_u64(ns) / 1e6),
        }
    }

    /// The names and values.
    pub fn named(&self) -> [(&'static str, Option<f64>); 6] {
        let Self { p50, p90, p95, p99, p999, max } = *self;
        [("p50", p50), ("p90", p90), ("p95", p95), ("p99", p99), ("p999", p999), ("max", max)]
    }
}

/// A quantile in milliseconds. `None` if too few values lie beyond it.
pub fn quantile_ms(histogram: &Histogram<u64>, quantile: f64) -> Option<f64> {
    let beyond = real_u64(histogram.len()) * quantile.min(1.0 - quantile);
    // A product such as 5,000 · (1 − 0.999) is a little less than it should be.
    (beyond >= MIN_BEYOND * (1.0 - 1e-9)).then(|| real_u64(histogram.value_at_quantile(quantile)) / 1e6)
}

/// What a run amounts to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Requests per second that were asked for. `None` in a closed loop.
    pub asked_rate: Option<f64>,
    /// Requests sent per second, until the last one.
    pub sent_rate: f64,
    /// Responses per second, until the last one.
    pub answered_rate: f64,
    /// Latencies from the schedule. `None` in a closed loop, which has none.
    pub from_schedule: Option<Percentiles>,
    /// Latencies from when requests were sent.
    pub from_send: Percentiles,
    /// The generator.
    pub generator: Generator,
}

impl Figures {
    /// Those of a run.
    pub fn of(plan: &Plan, run: &Run) -> Self {
        let is_open = plan.planned().is_some();
        let from_schedule = is_open.then(|| Percentiles::of(&run.latencies.schedule));
        let from_send = Percentiles::of(&run.latencies.send);
        let p99 = from_schedule.unwrap_or(from_send).p99;
        // What is still sent and answered after the last request was due takes that longer.
        let until = |last_ns: u64| (real_u64(last_ns) / 1e9).max(run.due_seconds).max(1e-9);
        Self {
            asked_rate: plan.asked_rate(),
            sent_rate: real_u64(run.counts.sent) / until(run.counts.last_sent_ns),
            answered_rate: real_u64(run.counts.responses) / until(run.counts.last_response_ns),
            from_schedule,
            from_send,
            generator: run.worst.unwrap_or_else(|| generator(run, p99)),
        }
    }
}

fn generator(run: &Run, p99: Option<f64>) -> Generator {
    let Latencies { lateness, .. } = &run.latencies;
    let late = quantile_ms(lateness, 0.99);
    let is_late =
        late.is_some_and(|late| late > MIN_LATE_MS && p99.is_none_or(|p99| late > LATE_SHARE * p99));
    Generator {
        cpu_share: run.cpu_share,
        lateness_ms_p50: quantile_ms(lateness, 0.5),
        lateness_ms_p99: late,
        lateness_ms_max: Percentiles::of(lateness).max,
        stopped_ms: real_u64(run.counts.stopped_ns) / 1e6,
        is_limited: run.cpu_share > FULL_CORE || is_late || run.counts.stopped_ns >= STOPPED_NS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::histogram;

    #[test]
    fn a_percentile_without_enough_values_beyond_it_is_not_given() {
        let mut values = histogram();
        assert_eq!(Percentiles::of(&values), Percentiles::default());
        for value in 1..=5_000u64 {
            values.saturating_record(value * 1_000_000);
        }
        let of = Percentiles::of(&values);
        for ((name, value), expected) in
            of.named().into_iter().zip([2_500.0, 4_500.0, 4_750.0, 4_950.0, 4_995.0, 5_000.0])
        {
            assert!((value.unwrap() / expected - 1.0f64).abs() < 0.001, "{name}: {value:?}");
        }
        let mut few = histogram();
        for value in 1..=499u64 {
            few.saturating_record(value);
        }
        let of = Percentiles::of(&few);
        assert!(of.p99.is_none() && of.p999.is_none() && of.p95.is_some() && of.max.is_some());
    }
}
