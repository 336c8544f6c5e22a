//! When nothing was answered.
//!
//! While a service answers nothing for `D` at a constant rate, the requests that are due wait between `D` and nothing, evenly
//! spread. So in an interval of the log, half of those due within `D` took `D / 2` or longer, a quarter half of that, and the others are
//! quick:
//!
//! ```text
//!  latency │█                    a stall: one tooth of a saw      │  ▒  ▒   ▒   ▒ ▒  single slow requests:
//!          │ █▇▆▅▄▃▂▁                                             │                  no others took half as long
//!          └──────────▶ due                                       └──────────▶
//! ```
//!
//! In saturation no request of the interval is quick. Longer stalls leave whole seconds in which next to nothing was answered, though
//! requests waited: they are found by the rows by second, also in a closed loop and if time-outs end the waits.

use crate::facts::{Facts, Second, Stall};
use crate::intervals::Interval;
use base::number::{count, real, real_u64};

/// A stall shorter than this is a pause like any other. Pauses of a GC stay below.
pub(crate) const LEAST_MS: f64 = 100.0;
/// How many times the median a stall takes.
pub(crate) const TIMES_MEDIAN: f64 = 10.0;
/// The share of the requests due within a supposed stall that must have waited for their part of it, at least.
const WAITED: f64 = 0.5;
/// The share of an interval's requests that must be quick, or else the service is saturated.
const QUICK: f64 = 0.1;
/// Answered requests, as a share of those due and of what is answered usually, below which nothing counts as answered in that time.
const NOTHING: f64 = 0.1;
/// A stall is the generator's if it was late by this share of it.
const OF_GENERATOR: f64 = 0.5;
/// A wait may be longer than the seconds without answers: by parts of the one before and the one after.
const MOST_MORE_MS: f64 = 2_000.0;
const SECOND_NS: i64 = 1_000_000_000;
/// How much gaps between regular stalls may differ from their mean: as a share, or in seconds, since intervals have that length.
const IRREGULAR: f64 = 0.2;
const IRREGULAR_S: f64 = 1.05;

/// Every stall, by time.
pub(crate) fn stalls(facts: &Facts<'_>) -> Vec<Stall> {
    let mut found = gaps(facts);
    for tooth in teeth(facts) {
        match found.iter_mut().find(|gap| tooth.from_ns < gap.to_ns && gap.from_ns < tooth.to_ns) {
            Some(gap) => gap.ms = gap.ms.max(tooth.ms),
            None => found.push(tooth),
        }
    }
    found.sort_by_key(|of| of.from_ns);
    let mut stalls: Vec<Stall> = Vec::new();
    for of in found {
        // What shows a stall may be in two intervals.
        match stalls.last_mut().filter(|last| of.from_ns < last.to_ns) {
            Some(last) => {
                last.to_ns = last.to_ns.max(of.to_ns);
                last.ms = last.ms.max(of.ms);
            }
            None => stalls.push(of),
        }
    }
    for of in &mut stalls {
        of.is_longer |= of.ms >= facts.metric("timeout_ms").unwrap_or(f64::INFINITY)
            && timeouts(facts, of.from_ns, of.to_ns) > 0.0;
        of.is_of_generator =
            facts.lateness_ms(of.from_ns, of.to_ns).is_some_and(|late| late >= OF_GENERATOR * of.ms);
    }
    stalls
}

/// Requests that timed out in a range of time.
fn timeouts(facts: &Facts<'_>, from_ns: i64, to_ns: i64) -> f64 {
    let during = facts.seconds.iter().filter(|of| of.ts_ns < to_ns && of.end_ns() > from_ns);
    during.map(|of| of.timeouts).sum()
}

/// Intervals whose latencies are those of a stall. It ends in the interval, or at the border to the next one.
fn teeth(facts: &Facts<'_>) -> Vec<Stall> {
    let Some(median) = facts.whole.quantile(0.5) else { return Vec::new() };
    // Without a schedule, a stall holds up one request a connection, whatever its length.
    if !facts.has_schedule() {
        return Vec::new();
    }
    let Some(rate) = facts.rate() else { return Vec::new() };
    let least = LEAST_MS.max(TIMES_MEDIAN * median);
    let tooth = |interval: &Interval| {
        let ms = interval.longest().filter(|ms| *ms >= least)?;
        // The middle of a bucket may be beyond the longest of the run, which is known more exactly.
        let ms = ms.min(facts.quantile(1.0).unwrap_or(ms));
        let total = real_u64(interval.total());
        let waited = real_u64(interval.at_least(ms / 2.0));
        // A tooth has as many waits of each length: a quarter of them between a quarter and a half of the longest.
        let shorter = real_u64(interval.at_least(ms / 4.0)) - waited;
        let has = |count: f64, part: f64| count >= WAITED * part * rate * ms / 1e3;
        let is_tooth = has(waited, 0.5) && has(shorter, 0.25) && total - waited >= QUICK * total;
        // What is quick came after the stall, but for the last requests within it.
        let quick = total - real_u64(interval.at_least(least)) - rate * least / 1e3;
        let end_ns = interval.end_ns() - nanos(1e3 * quick.max(0.0) / rate).min(interval.dur_ns);
        is_tooth.then(|| Stall::of(end_ns.saturating_sub(nanos(ms)).max(0), interval.end_ns(), ms))
    };
    let is_slow = |of: &Interval| of.longest().is_some_and(|ms| ms >= least);
    let mut teeth = Vec::new();
    for (at, interval) in facts.intervals.iter().enumerate() {
        let next =
            facts.intervals.get(at + 1).filter(|next| next.ts_ns <= interval.end_ns() && is_slow(next));
        let alone = tooth(interval);
        let over_the_border = || {
            let mut both = interval.clone();
            both.join(next.filter(|next| is_slow(interval) && next.longest() <= interval.longest())?);
            tooth(&both)
        };
        teeth.extend(alone.or_else(over_the_border));
    }
    teeth
}

/// Seconds without answers, though requests waited for one. A request that waited as long must be known, too.
fn gaps(facts: &Facts<'_>) -> Vec<Stall> {
    let mut answered: Vec<f64> =
        facts.seconds.iter().filter_map(|of| of.answered).filter(|of| *of > 0.0).collect();
    answered.sort_by(f64::total_cmp);
    // What this service answers per second. One that never answered did not stop.
    let Some(usual) = answered.get(answered.len() / 2).copied() else { return Vec::new() };
    let is_open = facts.has_schedule();
    // In a closed loop, little is sent while nothing is answered.
    let due = |of: &Second| of.asked.filter(|_| is_open).unwrap_or(usual);
    let end_ns =
        facts.seconds.iter().filter(|of| of.asked.is_some_and(|of| of > 0.0)).map(Second::end_ns).max();
    let mut waiting = 0.0;
    let mut stalls: Vec<Stall> = Vec::new();
    let mut before: Option<&Second> = None;
    for of in &facts.seconds {
        let Some(answered) = of.answered else { return Vec::new() };
        waiting += of.asked.unwrap_or(answered + of.failed) - answered - of.failed;
        // After the last request, a few that are slow are not a stall.
        let is_over = end_ns.is_some_and(|end| of.ts_ns >= end);
        let enough = if is_over { (NOTHING * usual).max(1.0) } else { 1.0 };
        let errors = of.failed - of.timeouts;
        let is_still = waiting >= enough
            && errors < NOTHING * usual
            && answered <= NOTHING * if is_over { usual } else { due(of).min(usual) };
        match stalls.last_mut().filter(|last| last.to_ns >= of.ts_ns) {
            Some(last) if is_still => last.to_ns = of.end_ns(),
            None if is_still => {
                // It began in the second before, if that has fewer answers than were due.
                let answers = |of: &Second| of.answered.unwrap_or(0.0) / due(of).max(1.0);
                let part = before.map_or(0.0, |of| (1.0 - answers(of)).clamp(0.0, 1.0) * real(of.dur_ns));
                let from_ns = of.ts_ns.saturating_sub(nanos(part / 1e6));
                stalls.push(Stall::of(from_ns, of.end_ns(), 0.0));
            }
            _ => {}
        }
        before = Some(of);
    }
    stalls.into_iter().filter_map(|of| measured(facts, of)).collect()
}

/// A gap with its length: that of the longest wait that ended with it, or its own if time-outs ended the waits.
fn measured(facts: &Facts<'_>, mut gap: Stall) -> Option<Stall> {
    let own_ms = real(gap.to_ns.saturating_sub(gap.from_ns)) / 1e6;
    let end_ns = gap.to_ns.saturating_add(SECOND_NS);
    gap.never_ends =
        !facts.seconds.iter().any(|of| of.ts_ns >= gap.to_ns && of.answered.unwrap_or(0.0) > 0.0);
    let during = facts.intervals.iter().filter(|of| of.ts_ns <= end_ns && of.end_ns() > gap.from_ns);
    let longest = during.filter_map(Interval::longest).max_by(f64::total_cmp).or(facts.quantile(1.0))?;
    let longest = longest.min(facts.quantile(1.0).unwrap_or(longest));
    // At a low rate, a single second without answers is chance if nobody waited for that long.
    let timeout_ms = facts.metric("timeout_ms").unwrap_or(f64::INFINITY);
    if longest < 0.5 * own_ms.min(timeout_ms) {
        return None;
    }
    gap.is_longer = timeouts(facts, gap.from_ns, end_ns) > 0.0;
    let whole = facts.seconds.iter().filter(|of| of.ts_ns >= gap.from_ns && of.end_ns() <= gap.to_ns);
    gap.ms = if gap.is_longer {
        // At least that: its whole seconds.
        whole.map(|of| real(of.dur_ns) / 1e6).sum()
    } else if longest <= own_ms + MOST_MORE_MS {
        longest
    } else {
        own_ms
    };
    Some(gap)
}

#[expect(clippy::cast_possible_truncation, reason = "it saturates")]
fn nanos(ms: f64) -> i64 {
    (ms * 1e6) as i64
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
            let of = |at: &i64| Stall::of(at * SECOND_NS, at * SECOND_NS, 500.0);
            assert_eq!(period_s(&seconds.iter().map(of).collect::<Vec<_>>()), expected, "{seconds:?}");
        };
        check(&[2, 7, 12, 17], Some(5.0));
        check(&[2, 7, 13, 17], Some(5.0));
        check(&[2, 7], None);
        check(&[2, 3, 20, 40], None);
        check(&[], None);
    }
}
