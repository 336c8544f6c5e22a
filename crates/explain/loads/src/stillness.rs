//! When nothing was answered.
//!
//! While a service answers nothing for `D` at a constant rate, the requests that are due wait between `D` and nothing, evenly
//! spread. So in an interval of the log, half of those due within `D` took `D / 2` or longer, and the others are quick:
//!
//! ```text
//!  latency │█                    a stall: one tooth of a saw      │  ▒  ▒   ▒   ▒ ▒  single slow requests:
//!          │ █▇▆▅▄▃▂▁                                             │                  few reach half of the longest
//!          └──────────▶ due                                       └──────────▶
//! ```
//!
//! In saturation no request of the interval is quick. If the log has no such interval, seconds in which next to nothing was
//! answered, though requests were due, say the same more coarsely.

use crate::facts::{Facts, Second, Stall};
use crate::intervals::Interval;
use base::number::{count, real, real_u64};

/// A stall shorter than this is a pause like any other. Pauses of a GC stay below.
pub(crate) const LEAST_MS: f64 = 100.0;
/// How many times the median a stall takes.
pub(crate) const TIMES_MEDIAN: f64 = 10.0;
/// The share of the requests due within a supposed stall that must have waited, at least.
const WAITED: f64 = 0.5;
/// The share of an interval's requests that must be quick, or else the service is saturated.
const QUICK: f64 = 0.1;
/// Answered requests, as a share of those due, below which nothing counts as answered in that time.
const NOTHING: f64 = 0.1;
/// A stall is the generator's if it was late by this share of it.
const OF_GENERATOR: f64 = 0.5;
/// How much gaps between regular stalls may differ from their mean: as a share, or in seconds, since intervals have that length.
const IRREGULAR: f64 = 0.2;
const IRREGULAR_S: f64 = 1.05;

/// Every stall, by time.
pub(crate) fn stalls(facts: &Facts<'_>) -> Vec<Stall> {
    let mut found = by_latency(facts);
    if found.is_empty() {
        found = by_answers(facts);
    }
    let mut stalls: Vec<Stall> = Vec::new();
    for of in found {
        // A stall that reaches over the end of an interval is in both.
        match stalls.last_mut().filter(|last| of.from_ns <= last.to_ns) {
            Some(last) => {
                last.to_ns = last.to_ns.max(of.to_ns);
                last.ms = last.ms.max(of.ms);
            }
            None => stalls.push(of),
        }
    }
    for of in &mut stalls {
        of.is_longer = of.ms >= facts.metric("timeout_ms").unwrap_or(f64::INFINITY)
            && facts.seconds.iter().any(|second| {
                second.timeouts > 0.0 && second.ts_ns < of.to_ns && second.end_ns() > of.from_ns
            });
        of.is_of_generator =
            facts.lateness_ms(of.from_ns, of.to_ns).is_some_and(|late| late >= OF_GENERATOR * of.ms);
    }
    stalls
}

/// Intervals whose latencies are those of a stall.
fn by_latency(facts: &Facts<'_>) -> Vec<Stall> {
    let Some(median) = facts.whole.quantile(0.5) else { return Vec::new() };
    // Without a schedule, a stall holds up one request a connection, whatever its length.
    if !facts.has_schedule() {
        return Vec::new();
    }
    let Some(rate) = facts.rate() else { return Vec::new() };
    let least = LEAST_MS.max(TIMES_MEDIAN * median);
    let of = |interval: &Interval| {
        let ms = interval.longest().filter(|ms| *ms >= least)?;
        // The middle of a bucket may be beyond the longest of the run, which is known more exactly.
        let ms = ms.min(facts.quantile(1.0).unwrap_or(ms));
        let total = real_u64(interval.total());
        let waited = real_u64(interval.at_least(ms / 2.0));
        let quick = total - waited;
        let is_tooth = waited * 2.0 / rate >= WAITED * ms / 1e3 && quick >= QUICK * total;
        let (from_ns, to_ns) = (interval.ts_ns, interval.end_ns());
        is_tooth.then_some(Stall { from_ns, to_ns, ms, is_longer: false, is_of_generator: false })
    };
    facts.intervals.iter().filter_map(of).collect()
}

/// Seconds without answers, though requests were due: in a closed loop, though there were answers in most of the others.
fn by_answers(facts: &Facts<'_>) -> Vec<Stall> {
    let mut answered: Vec<f64> = facts.seconds.iter().filter_map(|of| of.answered).collect();
    answered.sort_by(f64::total_cmp);
    let usual = answered.get(answered.len() / 2).copied().unwrap_or(0.0);
    let is_still = |of: &&Second| {
        let due = of.asked.unwrap_or(usual);
        due >= 1.0
            && of.failed < NOTHING * due
            && of.answered.is_some_and(|answered| answered <= NOTHING * due)
    };
    // The last second may have nothing but the end of the run.
    let seconds = facts.seconds.split_last().map_or([].as_slice(), |(_, seconds)| seconds);
    let mut stalls: Vec<Stall> = Vec::new();
    for of in seconds.iter().filter(is_still) {
        let ms = real(of.dur_ns) / 1e6;
        match stalls.last_mut() {
            Some(last) if last.to_ns >= of.ts_ns => {
                last.to_ns = of.end_ns();
                last.ms += ms;
            }
            _ => {
                let (from_ns, to_ns) = (of.ts_ns, of.end_ns());
                stalls.push(Stall { from_ns, to_ns, ms, is_longer: false, is_of_generator: false });
            }
        }
    }
    stalls
}

/// The seconds between stalls, if they come regularly.
pub(crate) fn period_s(stalls: &[Stall]) -> Option<f64> {
    let times: Vec<f64> = stalls.iter().map(|of| real(of.from_ns) / 1e9).collect();
    let (first, last) = (times.first()?, times.last()?);
    if times.len() < 3 {
        return None;
    }
    let mean = (last - first) / count(times.len().saturating_sub(1));
    let far = (IRREGULAR * mean).max(IRREGULAR_S.min(mean * 0.5));
    let gaps = times.iter().zip(times.iter().skip(1)).map(|(from, to)| to - from);
    gaps.map(|gap| (gap - mean).abs()).all(|off| off <= far).then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalls_at_equal_distances_have_a_period() {
        let check = |seconds: &[i64], expected: Option<f64>| {
            let of = |at: &i64| Stall {
                from_ns: at * 1_000_000_000,
                to_ns: at * 1_000_000_000,
                ms: 500.0,
                is_longer: false,
                is_of_generator: false,
            };
            assert_eq!(period_s(&seconds.iter().map(of).collect::<Vec<_>>()), expected, "{seconds:?}");
        };
        check(&[2, 7, 12, 17], Some(5.0));
        check(&[2, 7, 13, 17], Some(5.0));
        check(&[2, 7], None);
        check(&[2, 3, 20, 40], None);
        check(&[], None);
    }
}
