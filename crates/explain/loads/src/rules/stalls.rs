//! `load-stalls`: for a time, nothing is answered.

use crate::facts::{Facts, Stall};
use crate::rule::{Found, LATENCY, Rule, Threshold, explains, view};
use crate::stillness::{LEAST_MS, TIMES_MEDIAN, period_s};
use base::number::count;
use report::unit::{duration, show};
use report::{EvidenceRows, Severity};

const LENGTH: Threshold = Threshold {
    name: "longest time without an answer",
    value: LEAST_MS,
    unit: "ms",
    source: "ours: a pause that users notice; pauses of a GC mostly stay below",
};
const TIMES: Threshold = Threshold {
    name: "the same, by the median latency",
    value: TIMES_MEDIAN,
    unit: "share",
    source: "ours: a tail of ten times the median is seen by users",
};
/// Before that a run has hardly begun.
const BEGINNING_MS: f64 = 100.0;
/// A share of the run from which on stalls are critical: p99 is then within one.
const CRITICAL: f64 = 0.01;

pub(super) static RULE: Rule = Rule {
    id: "load-stalls",
    about: "the service stops answering for a time while requests stay due, then it catches up",
    thresholds: &[LENGTH, TIMES],
    silent: "if single requests are slow while others are answered, if no request is quick (`load-saturated`), and if the \
             generator itself was stopped (`load-generator-late`)",
    why: "Everything waits for one thing: a garbage collection that stops all threads, a lock or a connection that all requests need, \
          a thread pool whose threads are all blocked, a CPU limit that is used up for the rest of its period, or a process that is \
          stopped. Requests that become due meanwhile wait until it ends, so the latency of the whole run is that of the stall: a \
          stall of 1 s in every 5 s makes p90 500 ms and p99 950 ms, although most requests are quick.",
    tries: &[
        "Record the service during the same load: `casebook load … -o OUT --record PID`, then `casebook open OUT`; GC pauses, locks and the \
         thread pool are reported there with their times",
        "Compare the period with what runs at that interval: timers, flushes, health checks, the period of a CPU limit",
        "Look at the service's throttling: `cpu.stat` of its control group",
    ],
    verify: "Repeat the run with the same rate: `load-stalls` is gone, and p99 is near the median.",
    view: view("the latency over time", "latency", LATENCY),
    needs: |facts| {
        let has_rows = !facts.intervals.is_empty() || facts.seconds.iter().any(|of| of.answered.is_some());
        if has_rows { Ok(()) } else { Err("a latency log (latency.hlog), or `by_second` in run.json") }
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let stalls: Vec<Stall> = facts.stalls.iter().filter(|of| !of.is_of_generator).copied().collect();
    let longest = stalls.iter().map(|of| of.ms).max_by(f64::total_cmp)?;
    let median = facts.quantile(0.5).or(facts.whole.quantile(0.5));
    let times = median.filter(|median| *median > 0.0).map(|median| longest / median);
    if longest < LENGTH.value || times.is_some_and(|times| times < TIMES.value) {
        return None;
    }
    let total_ms: f64 = stalls.iter().map(|of| of.ms).sum();
    let share = total_ms / 1e3 / facts.length_s();
    let mut measured = vec![LENGTH.measured(longest)];
    measured.extend(times.map(|times| TIMES.measured(times)));
    measured.push(explains("stalls", count(stalls.len()), ""));
    let cut = stalls.iter().filter(|of| of.is_longer).count();
    if cut > 0 {
        measured.push(explains("stalls that were longer: their requests timed out", count(cut), ""));
    }
    measured.push(explains("share of the run without answers", share, "share"));
    measured.extend(period_s(&stalls).map(|period| explains("time between stalls", period, "s")));
    Some(Found {
        title: title(facts, &stalls, longest),
        severity: if share >= CRITICAL { Severity::Critical } else { Severity::Warning },
        score: (share / CRITICAL).min(1.0),
        measured,
        evidence: evidence(facts, &stalls),
    })
}

fn title(facts: &Facts<'_>, stalls: &[Stall], longest: f64) -> String {
    let is_longer = stalls.iter().any(|of| of.is_longer);
    let about = format!("{} {}", if is_longer { "at least" } else { "about" }, show_round(longest));
    let up_to = if is_longer { about.clone() } else { format!("up to {}", show_round(longest)) };
    let period = period_s(stalls);
    let at = |of: &Stall| match base::number::real(of.from_ns) / 1e6 {
        ms if ms < BEGINNING_MS => "the beginning".to_owned(),
        ms => duration(ms),
    };
    let stands = match (stalls, period) {
        ([.., last], _) if last.never_ends => {
            format!("stops answering at {}, and did not answer again", at(last))
        }
        ([one], _) if far(one) => format!("stops answering for {up_to} again and again"),
        ([one], _) => format!("stops answering for {about} at {}", at(one)),
        (_, Some(period)) => format!("stops answering for {about} every {}", show_round(period * 1e3)),
        (several, None) => format!("stops answering {} times, for {up_to}", several.len()),
    };
    let rate = match facts.is_rate_kept() {
        Some(true) => "; the rate was kept",
        Some(false) => "; the rate was not kept",
        None => "",
    };
    // Only a quantile within the stalls is explained by them.
    let named = [(0.99, "p99"), (0.999, "p99.9"), (1.0, "the longest latency")].into_iter();
    let mut named = named.filter_map(|(quantile, name)| Some((name, facts.quantile(quantile)?)));
    match named.find(|(_, ms)| *ms >= longest * 0.2) {
        Some((name, ms)) => format!("{name} is {} because the service {stands}{rate}", show(ms, "ms")),
        None => format!("The service {stands}{rate}"),
    }
}

/// Whether a row of stalls is much longer than each of them.
fn far(of: &Stall) -> bool {
    base::number::real(of.to_ns.saturating_sub(of.from_ns)) / 1e6 > 3.0 * of.ms + 2_000.0
}

/// A time as people say it: stalls are known to a few per cent.
fn show_round(ms: f64) -> String {
    let digits = 10f64.powf(ms.abs().log10().floor().max(0.0) - 1.0);
    duration((ms / digits).round() * digits)
}

fn evidence(facts: &Facts<'_>, stalls: &[Stall]) -> Vec<EvidenceRows> {
    let within = |ts_ns: i64, end_ns: i64| stalls.iter().any(|of| ts_ns < of.to_ns && end_ns > of.from_ns);
    let mut evidence = Vec::new();
    if let Some(basis) = facts.basis.filter(|_| !facts.intervals.is_empty()) {
        let sql = format!(
            "select ts_ns, sum(count) as requests, max(to_ms) as longest_ms from histogram where basis = '{}' group by ts_ns \
             having max(to_ms) >= {LEAST_MS} order by ts_ns",
            basis.replace('\'', "''")
        );
        let times = facts.intervals.iter().filter(|of| within(of.ts_ns, of.end_ns())).map(|of| of.ts_ns);
        evidence.push(EvidenceRows::of("histogram", sql, times));
    }
    let times = facts.seconds.iter().filter(|of| within(of.ts_ns, of.end_ns())).map(|of| of.ts_ns);
    let sql = "select ts_ns, asked, sent, answered, lateness_max_ns from seconds order by answered limit 20";
    evidence.push(EvidenceRows::of("seconds", sql, times));
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_with_two_digits() {
        let check = |ms, expected: &str| assert_eq!(show_round(ms), expected, "{ms}");
        check(996.0, "1 s");
        check(5_000.0, "5 s");
        check(1_512.0, "1.50 s");
        check(123.0, "120 ms");
    }
}
