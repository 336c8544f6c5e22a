//! `load-generator-late`: the generator, not the service, made requests late.

use crate::facts::{Facts, OF_LATENCY};
use crate::rule::{Found, RATES, Rule, Threshold, explains, rows_of, view};
use report::unit::show;
use report::{EvidenceRows, Measured, Severity};

const SHARE: Threshold = Threshold {
    name: "p99 of the generator's lateness, of the latency's p99",
    value: OF_LATENCY,
    unit: "share",
    source: "ours: a tenth of p99 is more than the histogram's own error and less than anybody decides by. One of the three is enough",
};
const LATENESS: Threshold = Threshold {
    name: "p99 of the generator's lateness, for that share to count",
    value: 1.0,
    unit: "ms",
    source: "ours: a timer of Linux is late by 0.05 to 0.1 ms",
};
const STOPPED: Threshold = Threshold {
    name: "time that the generator was stopped",
    value: 100.0,
    unit: "ms",
    source: "ours: what a busy machine takes from a process within a run, 20 ms at a time. It is enough alone",
};
const LIMITED: Threshold = Threshold {
    name: "whether the generator was at the limit of its CPU",
    value: 1.0,
    unit: "",
    source: "the generator's own word. It is enough alone",
};
/// Seconds with a lateness from here on are the evidence.
const EVIDENT_MS: f64 = 1.0;

pub(super) static RULE: Rule = Rule {
    id: "load-generator-late",
    about: "the generator of the load was late, stopped or short of CPU, so that the latencies are its own too",
    thresholds: &[SHARE, LATENESS, STOPPED, LIMITED],
    silent: "if requests wait for a connection because the service is slow: that is in the latency from the schedule, and is the \
             service's",
    why: "A generator is a program like any other: it shares the CPU with the service on one machine, it is stopped, its core is \
          saturated. Requests that it sends late count from when they were due, so its own delay is in the latency from the \
          schedule. It is shown and never subtracted, since nobody knows what the service would have done.",
    tries: &[
        "Run the generator on another machine, or give it cores of its own: `taskset`",
        "Lower the rate, or use more threads, until its lateness is small",
        "Compare with the latency from the send, which has none of this delay",
    ],
    verify: "In a repeated run the generator's lateness p99 is below a tenth of the latency's p99, and it was never stopped.",
    view: view("the rates and the lateness", "lateness", RATES),
    needs: |facts| match (facts.metric("client.lateness_ms_p99"), facts.metric("client.stopped_ms")) {
        (None, None) if facts.seconds.iter().all(|of| of.lateness_ms.is_none()) => {
            Err("run.json of `casebook load`, which says how late the generator was")
        }
        _ => Ok(()),
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let late = facts.metric("client.lateness_ms_p99");
    let p99 = facts.quantile(0.99).or(facts.metric("p99"));
    let share = late.zip(p99).map(|(late, p99)| late / p99.max(f64::MIN_POSITIVE));
    // A stall of the generator is in its lateness by second too.
    let still = facts.stalls.iter().filter(|of| of.is_of_generator).map(|of| of.ms).max_by(f64::total_cmp);
    let stopped = [facts.metric("client.stopped_ms"), still].into_iter().flatten().max_by(f64::total_cmp);
    let is_limited = facts.metric("client.limited").is_some_and(|limited| limited >= LIMITED.value);
    let is_stopped = stopped.is_some_and(|stopped| stopped >= STOPPED.value);
    // A stop that is short beside the latencies explains none of them.
    let explains_little = stopped.zip(p99).is_some_and(|(stopped, p99)| stopped < OF_LATENCY * p99);
    let is_late =
        share.is_some_and(|share| share >= SHARE.value) && late.is_some_and(|late| late >= LATENESS.value);
    let what = match (is_stopped, is_late, is_limited) {
        (true, ..) => format!("was stopped for {}", show(stopped?, "ms")),
        (_, true, _) => format!("was late: by {} or more for 1 % of the requests", show(late?, "ms")),
        (.., true) => "was at the limit of its CPU".to_owned(),
        _ => return None,
    };
    let mut measured: Vec<Measured> = Vec::new();
    measured.extend(stopped.filter(|stopped| *stopped > 0.0).map(|stopped| STOPPED.measured(stopped)));
    measured.extend(share.map(|share| SHARE.measured(share)));
    measured.extend(late.map(|late| LATENESS.measured(late)));
    measured.extend((is_limited && !is_stopped && !is_late).then(|| LIMITED.measured(1.0)));
    let more = [
        ("the generator's worst lateness", "client.lateness_ms_max", "ms"),
        ("CPU of the generator", "client.cpu_share", "share"),
    ];
    measured.extend(
        more.into_iter().filter_map(|(name, of, unit)| Some(explains(name, facts.metric(of)?, unit))),
    );
    let late_rows = facts.seconds.iter().filter(|of| of.lateness_ms.is_some_and(|ms| ms >= EVIDENT_MS));
    let title = match p99.filter(|_| is_stopped && explains_little) {
        Some(p99) => format!("The generator {what}, which is little beside the p99 of {}", show(p99, "ms")),
        None => format!("The generator {what}, not the service: the latencies are the generator's too"),
    };
    Some(Found {
        title,
        severity: if is_stopped && explains_little { Severity::Note } else { Severity::Warning },
        score: if is_stopped || is_late { 0.9 } else { 0.6 },
        measured,
        evidence: vec![
            EvidenceRows::of(
                "seconds",
                "select ts_ns, asked, sent, answered, lateness_max_ns from seconds order by lateness_max_ns desc limit 20",
                late_rows.map(|of| of.ts_ns),
            ),
            rows_of("metrics", "select name, value, unit from metrics where name like 'client.%'", 1),
        ],
    })
}
