//! `load-timeouts`: requests end at one time, which is a setting.

use crate::facts::Facts;
use crate::rule::{Found, LATENCY, Rule, Threshold, explains, rows_of, view};
use base::number::real_u64;
use report::unit::{duration, show};
use report::{EvidenceRows, Severity};

const SHARE: Threshold = Threshold {
    name: "requests that took as long as the time-out, or that long",
    value: 0.001,
    unit: "share",
    source: "the usual objective of 99.9 %; below it is a note",
};
const HEAP: Threshold = Threshold {
    name: "slow responses that took the same time",
    value: 0.5,
    unit: "share",
    source: "ours: a tail falls from bucket to bucket, and none has half of it. It and the next are enough if no time-out was counted",
};
const APART: Threshold = Threshold {
    name: "that time, by the median",
    value: 20.0,
    unit: "",
    source: "ours: a slower way of answering, such as a cache that misses, takes a few times the median",
};
/// A shorter time is not a setting: the shortest in use is the 40 ms of a delayed acknowledgement.
const LEAST_MS: f64 = 35.0;
/// The fewest responses that can be a heap.
const FEWEST: f64 = 10.0;
const CRITICAL: f64 = 0.01;
/// How wide a heap is, as a factor: a bucket of the histogram and half of its neighbours.
const WIDTH: f64 = 1.13;

pub(super) static RULE: Rule = Rule {
    id: "load-timeouts",
    about: "requests take as long as a time-out: the generator's, or one within the service, which shows as responses of one length",
    thresholds: &[SHARE, HEAP, APART],
    silent: "if slow responses have all lengths, and if the service stops answering or is saturated, which makes lengths of its own",
    why: "Time-outs are settings, so whatever ends at one takes the same time: 5 s of a DNS resolver, 15 s and 30 s of database \
          drivers, 100 s of HttpClient. The request waited for something that did not come, and then the setting ended it. In the percentiles a \
          time-out counts with the time waited: the service would have taken at least that.",
    tries: &[
        "Search the configuration of the service and its clients for this time",
        "Look at what the service calls at that moment: `casebook load … -o OUT --record PID --record-profile requests`",
        "Lower the time-out to what users wait for; it does not make the service quicker but frees what a request holds",
    ],
    verify: "In a repeated run no request ends at this time, or as many as before end at the changed setting.",
    view: view("the latency over time", "latency", LATENCY),
    needs: |facts| {
        let is_known = facts.metric("timeouts").is_some() || !facts.intervals.is_empty();
        if is_known {
            Ok(())
        } else {
            Err("a latency log (latency.hlog), or run.json: how many requests timed out")
        }
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    of_generator(facts).or_else(|| of_service(facts))
}

/// Requests that the generator stopped waiting for.
fn of_generator(facts: &Facts<'_>) -> Option<Found> {
    let timeouts = facts.metric("timeouts").filter(|count| *count > 0.0)?;
    let share = timeouts / facts.planned()?;
    let at = facts.metric("timeout_ms").map_or_else(String::new, |ms| format!(" of {}", duration(ms)));
    let mut measured = vec![SHARE.measured(share), explains("time-outs", timeouts, "")];
    measured.extend(facts.metric("timeout_ms").map(|ms| explains("the generator's time-out", ms, "ms")));
    let during = facts.seconds.iter().filter(|of| of.failed > 0.0).map(|of| of.ts_ns);
    let is_any_answered = facts.metric("responses").is_none_or(|responses| responses > 0.0);
    let title = if is_any_answered {
        format!(
            "{} of the requests hit the generator's time-out{at}: they would have taken longer",
            show(share, "share")
        )
    } else {
        format!("No request was answered: {} of them hit the generator's time-out{at}", show(share, "share"))
    };
    Some(Found {
        title,
        severity: severity(share),
        score: (share / CRITICAL).min(1.0),
        measured,
        evidence: vec![
            EvidenceRows::of(
                "seconds",
                "select ts_ns, sent, answered, timeouts from seconds where timeouts > 0 order by ts_ns",
                during,
            ),
            rows_of("failures", "select what, count from failures where what = 'timeout'", 1),
        ],
    })
}

fn severity(share: f64) -> Severity {
    match () {
        () if share >= CRITICAL => Severity::Critical,
        () if share >= SHARE.value => Severity::Warning,
        () => Severity::Note,
    }
}

/// Responses that all took the same, long time.
fn of_service(facts: &Facts<'_>) -> Option<Found> {
    if !facts.stalls.is_empty() {
        return None;
    }
    let median = facts.whole.quantile(0.5).filter(|median| *median > 0.0)?;
    let slow = || facts.whole.buckets.iter().filter(|(from, ..)| *from >= median * APART.value);
    let all: f64 = slow().map(|(.., count)| real_u64(*count)).sum();
    let near = |ms: f64| slow().filter(move |(from, to, _)| *from >= ms / WIDTH && *to <= ms * WIDTH);
    let heaps = slow().map(|(from, to, _)| {
        let ms = (from * to).sqrt();
        (ms, near(ms).map(|(.., count)| real_u64(*count)).sum::<f64>())
    });
    let (ms, of_heap) = heaps.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (share, of_all) = (of_heap / all, of_heap / real_u64(facts.whole.total()));
    if share < HEAP.value || of_heap < FEWEST || of_all < SHARE.value || ms < LEAST_MS {
        return None;
    }
    // Buckets are wide: a percentile among them is exact.
    let is_of_heap = |of: &f64| *of >= ms / WIDTH && *of <= ms * WIDTH;
    let exact =
        [0.9, 0.95, 0.99, 0.995, 0.999, 1.0].into_iter().filter_map(|of| facts.quantile(of)).find(is_of_heap);
    let basis = facts.basis?.replace('\'', "''");
    let sql = format!(
        "select from_ms, to_ms, sum(count) as requests from histogram where basis = '{basis}' and from_ms >= {} group by 1, 2 order by 1",
        median * APART.value
    );
    let times = facts.intervals.iter().filter(|of| of.at_least(ms / WIDTH) > 0).map(|of| of.ts_ns);
    Some(Found {
        title: format!(
            "{} of the requests take nearly the same long time, about {}: a time-out or a retry within the service",
            show(of_all, "share"),
            duration(exact.unwrap_or(ms))
        ),
        severity: severity(of_all).min(Severity::Warning),
        score: 0.6 * share,
        measured: vec![HEAP.measured(share), APART.measured(ms / median), SHARE.measured(of_all)],
        evidence: vec![EvidenceRows::of("histogram", sql, times)],
    })
}
