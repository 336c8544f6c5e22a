//! `load-saturated`: more is asked than the service can answer, and what waits grows.

use crate::facts::{Facts, Second};
use crate::intervals::quarters;
use crate::rule::{Found, RATES, Rule, Threshold, explains, view};
use base::number::real;
use report::unit::{duration, show};
use report::{EvidenceRows, Severity};

const ANSWERED: Threshold = Threshold {
    name: "answered or failed of what was asked (no more than)",
    value: 0.95,
    unit: "share",
    source: "ours: a run of 30 s that ends within a stall of 1 s still answers 96 %",
};
const GROWTH: Threshold = Threshold {
    name: "latency in the last quarter, by that in the first",
    value: 1.5,
    unit: "",
    source: "queueing: at a constant overload, what waits grows in proportion to time, so the last quarter has seven times the first",
};
const WAIT: Threshold = Threshold {
    name: "median latency in the last quarter",
    value: 10.0,
    unit: "ms",
    source: "ours: at 95 % of what is asked, a queue of 10 s is 0.4 s long by then; less is noise",
};
const UNSENT: Threshold = Threshold {
    name: "planned requests that were never sent, since no connection was free",
    value: 0.05,
    unit: "share",
    source: "ours: a run that ends within a stall still sends what was due, for as long as the time-out. It alone is enough",
};
/// A rate changes if several of its seconds are so much above or below the median.
const CHANGING: f64 = 1.2;

pub(super) static RULE: Rule = Rule {
    id: "load-saturated",
    about: "fewer requests are answered than are asked for, all through the run, and the latency from the schedule grows",
    thresholds: &[ANSWERED, GROWTH, WAIT, UNSENT],
    silent: "if the latency does not grow, so that requests fail instead (`load-errors`), and if the generator could not send \
             them (`load-generator-late`)",
    why: "The service has a capacity: at a higher rate, requests queue, and each waits for all before it. The latency then says how \
          long the run was, not how quick the service is; only the rate that was answered is a property of the service.",
    tries: &[
        "Take the answered rate as the capacity, and measure latency at 70 % of it",
        "Record the service at this load (`casebook load … -o OUT --record PID`): CPU, locks, the thread pool or a connection pool is the limit",
        "Find the capacity with a schedule whose rate rises in steps: it ends where answered stays behind asked",
    ],
    verify: "At a rate below the capacity, the answered rate is the asked one and the latency is the same in all quarters of the run.",
    view: view("the rates", "rate", RATES),
    needs: |facts| match (facts.metric("rate.asked"), facts.metric("rate.answered")) {
        (Some(_), Some(_)) => Ok(()),
        _ => Err("a run with a schedule, and its run.json: the rates that were asked and answered"),
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let (asked, answered) = (facts.metric("rate.asked")?, facts.metric("rate.answered")?);
    // What failed was dealt with, and what the generator could not send says nothing of the service.
    let failed =
        (facts.metric("errors").unwrap_or(0.0) + facts.metric("timeouts").unwrap_or(0.0)) / facts.length_s();
    let failed = if failed.is_finite() { failed } else { 0.0 };
    let share = (answered + failed) / asked;
    let waits = facts.quantile(0.99).or(facts.quantile(0.5)).unwrap_or(0.0);
    // A service that answers nothing at all hangs: it has no capacity to speak of.
    if !(share <= ANSWERED.value && asked > 0.0 && answered > 0.0) || facts.is_of_generator(waits) {
        return None;
    }
    if let Some(found) = never_sent(facts, asked, answered) {
        return Some(found);
    }
    let medians: Vec<f64> = quarters(&facts.intervals)?;
    let (first, last) = (medians.first()?, medians.last()?);
    let growth = last / first.max(f64::MIN_POSITIVE);
    if growth < GROWTH.value || *last < WAIT.value || !medians.is_sorted() {
        return None;
    }
    let waits = show(*last, "ms");
    let title = match changing(facts) {
        Some((capacity, from_ms)) => format!(
            "The service is saturated at about {}: from {} on more were asked for, and requests wait longer and longer, {waits} at \
             the end",
            show(capacity, "requests/s"),
            duration(from_ms)
        ),
        None => format!(
            "The service is saturated at {}: {} were asked for, and requests wait longer and longer, {waits} at the end",
            show(answered, "requests/s"),
            show(asked, "requests/s")
        ),
    };
    Some(Found {
        title,
        severity: Severity::Critical,
        score: (1.0 - share).clamp(0.5, 1.0),
        measured: vec![
            ANSWERED.measured(share),
            GROWTH.measured(growth.min(1e6)),
            WAIT.measured(*last),
            explains("asked", asked, "1/s"),
            explains("answered", answered, "1/s"),
        ],
        evidence: vec![EvidenceRows::of(
            "seconds",
            "select ts_ns, asked, sent, answered, errors, timeouts from seconds order by ts_ns",
            facts.seconds.iter().map(|of| of.ts_ns),
        )],
    })
}

/// Requests for which no connection became free until the end: all of them waited for the service.
fn never_sent(facts: &Facts<'_>, asked: f64, answered: f64) -> Option<Found> {
    // What an interrupted run did not send, it had no time for.
    if facts.load.run.ended.as_deref() == Some("interrupted") {
        return None;
    }
    // Other requests were not sent because of an earlier one of their flow, or of a value.
    let others = ["unsent_because.earlier-request", "unsent_because.value"];
    let others: f64 = others.iter().filter_map(|name| facts.metric(name)).sum();
    let unsent = facts.metric("unsent")? - others;
    let share = unsent / facts.planned()?;
    if share < UNSENT.value {
        return None;
    }
    Some(Found {
        title: format!(
            "The service is saturated: it answered {} of {}, all connections waited for it, and {} of the requests were never sent",
            show(answered, "requests/s"),
            show(asked, "requests/s"),
            show(share, "share")
        ),
        severity: Severity::Critical,
        score: 1.0,
        measured: vec![UNSENT.measured(share), explains("requests that were never sent", unsent, "")],
        evidence: vec![EvidenceRows::of(
            "seconds",
            "select ts_ns, asked, sent, answered, errors, timeouts from seconds order by ts_ns",
            facts.seconds.iter().map(|of| of.ts_ns),
        )],
    })
}

/// Of a rate that changes: the median of what was answered while more was asked for, and when that began, in milliseconds.
fn changing(facts: &Facts<'_>) -> Option<(f64, f64)> {
    let mut asked: Vec<f64> = facts.seconds.iter().filter_map(|of| of.asked).filter(|of| *of > 0.0).collect();
    asked.sort_by(f64::total_cmp);
    let typical = asked.get(asked.len() / 2)?;
    // The rows of a constant rate differ by one, and the last of it may be partial.
    if asked.iter().filter(|of| **of < typical / CHANGING || **of > typical * CHANGING).count() < 2 {
        return None;
    }
    let is_short =
        |of: &&Second| of.answered.zip(of.asked).is_some_and(|(is, asked)| is < ANSWERED.value * asked);
    let mut answered: Vec<f64> = facts.seconds.iter().filter(is_short).filter_map(|of| of.answered).collect();
    answered.sort_by(f64::total_cmp);
    let from = facts.seconds.iter().find(|of| is_short(of))?;
    Some((*answered.get(answered.len() / 2)?, real(from.ts_ns) / 1e6))
}
