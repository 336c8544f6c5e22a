//! `load-not-steady`: the latency changed for good within the run.

use crate::facts::Facts;
use crate::rule::{Found, LATENCY, Rule, Threshold, explains, view};
use base::number::{count, real};
use report::unit::{duration, show};
use report::{EvidenceRows, Severity};

const CHANGES: Threshold = Threshold {
    name: "times at which the latency changed for good",
    value: 1.0,
    unit: "",
    source: "the generator's test for change points over the measured part, the warm-up left out",
};

pub(super) static RULE: Rule = Rule {
    id: "load-not-steady",
    about: "the measured part of the run was not steady: the latency changed for good at some time",
    thresholds: &[CHANGES],
    silent: "if the generator did not test it, or the run was too short for the test (`load-too-short`)",
    why: "One p99 for a run in which the latency changed is of neither part. A service warms up (code is compiled, caches and pools \
          fill), or it gets worse (a leak, a table that grows, a limit that is used up), or another program took the machine.",
    tries: &[
        "If it became quicker: a longer warm-up, `--warmup 30s`",
        "If it became slower: a longer run shows whether it goes on; record the service meanwhile (`casebook load … -o OUT --record PID`)",
        "Repeat the run: what changes at another time was the machine",
    ],
    verify: "A repeated run is steady, and its percentiles are those of the later part of this one.",
    view: view("the latency over time", "latency", LATENCY),
    needs: |facts| match facts.load.run.steadiness.as_deref() {
        Some("too short") => Err("at least 30 s with answers"),
        Some(_) => Ok(()),
        None => Err("run.json of `casebook load`, which tests for steadiness"),
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    if facts.load.run.steadiness.as_deref() != Some("not steady") {
        return None;
    }
    let of = &facts.load.changes;
    let number = of.ts_ns.len();
    let largest = (0..number).filter_map(|at| of.row(at)).max_by(|a, b| {
        let factor = |before: f64, after: f64| (after / before).ln().abs();
        factor(a.before_ms, a.after_ms).total_cmp(&factor(b.before_ms, b.after_ms))
    });
    let title = match largest.filter(|row| row.before_ms.is_finite() && row.after_ms.is_finite()) {
        Some(row) => format!(
            "The latency ({}) changes at {} from {} to {}: one percentile for the whole run describes neither part",
            facts.load.strings.get(row.metric).unwrap_or("of each second"),
            duration(real(row.ts_ns) / 1e6),
            show(row.before_ms, "ms"),
            show(row.after_ms, "ms")
        ),
        None => {
            "The latency was not steady: one percentile for the whole run describes no part of it".to_owned()
        }
    };
    let mut measured = vec![CHANGES.measured(count(number.max(1)))];
    if let Some(row) = largest {
        measured.push(explains("latency before the largest change", row.before_ms, "ms"));
        measured.push(explains("latency after it", row.after_ms, "ms"));
    }
    Some(Found {
        title,
        severity: Severity::Warning,
        score: 0.5,
        measured,
        evidence: vec![EvidenceRows::of(
            "changes",
            "select ts_ns, metric, before_ms, after_ms from changes order by ts_ns",
            of.ts_ns.iter().copied(),
        )],
    })
}
