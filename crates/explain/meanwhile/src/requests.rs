//! Single requests: how many of the slowest were under way during something, and how many would be by chance.

use crate::conditions::Condition;
use base::number::{count, real};
use model::{Load, NO_INT, Trace};
use report::unit::{duration, short, show};
use timeline::Span;

/// A request, or the p99 of one second, is slow if it takes so many times what is usual.
pub(crate) const TIMES_USUAL: f64 = 3.0;
/// What takes less is not slow, whatever is usual.
pub(crate) const LEAST_SLOW_MS: f64 = 5.0;
/// One of so many requests is among the slowest.
const SLOWEST: usize = 100;
/// The fewest and the most that are examined.
const LEAST: usize = 10;
const MOST: usize = 100;
/// Conditions with more intervals are not compared with single requests: each of them would be moved for each request.
const MOST_INTERVALS: usize = 100_000;
/// So many standard deviations above what chance makes are said.
const DEVIATIONS: f64 = 3.0;

/// What is said of the slowest requests, if the load run or the trace has them one by one.
pub(crate) fn sentences(load: &Load, trace: &Trace, conditions: &[Condition], run: Span) -> Vec<String> {
    let of_load = load.requests.sent_ns.iter().zip(&load.requests.end_ns);
    let of_load: Vec<(i64, i64)> = of_load
        .filter(|(from, to)| **from != NO_INT && **to != NO_INT)
        .map(|(from, to)| (*from, *to))
        .collect();
    let requests = if of_load.is_empty() {
        let of_trace = trace.requests.start_ns.iter().zip(&trace.requests.dur_ns);
        of_trace
            .filter(|(_, dur)| **dur != NO_INT)
            .map(|(from, dur)| (*from, from.saturating_add(*dur)))
            .collect()
    } else {
        of_load
    };
    let slowest = slowest(requests, run);
    let few = conditions.iter().filter(|of| of.when.len() <= MOST_INTERVALS);
    few.filter_map(|of| sentence(&slowest, of, run)).collect()
}

/// The slowest hundredth, slowest first; none of too few, or if they are not slow beside the others.
fn slowest(mut requests: Vec<(i64, i64)>, run: Span) -> Vec<(i64, i64)> {
    requests.retain(|(from, to)| *from >= run.from_ns && *to <= run.to_ns && from < to);
    let number = (requests.len() / SLOWEST).clamp(LEAST, MOST);
    if requests.len() < number.saturating_mul(2) {
        return Vec::new();
    }
    requests.sort_by_key(|(from, to)| (std::cmp::Reverse(to.saturating_sub(*from)), *from));
    let length = |at: usize| requests.get(at).map_or(0, |(from, to)| to.saturating_sub(*from));
    let (least, median) = (real(length(number - 1)), real(length(requests.len() / 2)));
    if least < median * TIMES_USUAL || least < LEAST_SLOW_MS * 1e6 {
        return Vec::new();
    }
    requests.truncate(number);
    requests
}

fn sentence(slowest: &[(i64, i64)], of: &Condition, run: Span) -> Option<String> {
    let (from, to) = slowest.last()?;
    let least_ms = real(to.saturating_sub(*from)) / 1e6;
    let met = count(slowest.iter().filter(|(from, to)| of.when.touches(*from, *to)).count());
    let chances =
        slowest.iter().map(|(from, to)| of.when.by_chance(to.saturating_sub(*from), run.from_ns, run.to_ns));
    let (expected, variance) = chances
        .fold((0.0, 0.0), |(sum, variance), chance| (sum + chance, variance + chance * (1.0 - chance)));
    let is_more = met >= expected + (DEVIATIONS * variance.sqrt()).max(1.0);
    is_more.then(|| {
        format!(
            "{} of the {} slowest requests ({} or longer) were under way during {}; by chance it would be {}, since that is {} of the run's time.",
            short(met),
            slowest.len(),
            duration(least_ms),
            of.name,
            short(expected),
            show(of.when.share(run.from_ns, run.to_ns), "share")
        )
    })
}
