//! `load-too-short`: too few requests for the percentile that people ask for.

use crate::facts::Facts;
use crate::rule::{Found, LATENCY, Rule, Threshold, explains, rows_of, view};
use model::{LEAST_ABOVE, carries};
use report::Severity;
use report::unit::short;

/// The percentile that a run is for, unless it says otherwise.
const ASKED: f64 = 0.99;

const SAMPLES: Threshold = Threshold {
    name: "requests above p99 (no more than)",
    value: 5.0,
    unit: "",
    source: "order statistics: with 5 values above it, the 95 % interval of a p99 reaches from p98 to p99.7; with fewer it has no upper end",
};

pub(super) static RULE: Rule = Rule {
    id: "load-too-short",
    about: "the run has too few requests for its p99",
    thresholds: &[SAMPLES],
    silent: "for p99.9 and above, which are simply not printed without enough requests",
    why: "A percentile is one of the measured values, and a p99 stands on the slowest hundredth: of 100 requests it is a single one, and \
          another run has another. p99 needs 500 requests, p99.9 needs 5,000, p99.99 needs 50,000.",
    tries: &[
        "Run longer: `-d 60s` at 200 requests/s has 12,000 requests",
        "Judge by p90, which needs 50 requests",
    ],
    verify: "The table `latency` has a row for 0.99.",
    view: view("the percentiles", "latency", LATENCY),
    needs: |facts| {
        if facts.samples().is_some() {
            Ok(())
        } else {
            Err("a latency log, or run.json: how many requests there were")
        }
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let samples = facts.samples()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count, which is not negative"
    )]
    let is_carried = carries(samples.max(0.0) as u64, ASKED);
    if is_carried {
        return None;
    }
    let needed = base::number::real_u64(LEAST_ABOVE) / (1.0 - ASKED);
    Some(Found {
        title: format!(
            "Too few requests for p99: {} of the {} that it needs",
            short(samples),
            short(needed.round())
        ),
        severity: Severity::Note,
        score: 0.3,
        measured: vec![SAMPLES.measured(samples * (1.0 - ASKED)), explains("requests", samples, "")],
        evidence: vec![rows_of(
            "latency",
            "select basis, quantile, ms from latency",
            facts.load.latency.ms.len(),
        )],
    })
}
