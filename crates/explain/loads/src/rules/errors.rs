//! `load-errors`: requests end without a response, the service answers that it failed, or its answers fail checks.

use crate::facts::Facts;
use crate::rule::{FAILURES, Found, Rule, Threshold, explains, rows_of, view};
use base::number::real;
use report::Severity;
use report::unit::{short, show};

const FAILED: Threshold = Threshold {
    name: "requests without a response, time-outs left out",
    value: 0.001,
    unit: "share",
    source: "the usual objective of 99.9 %. One of the three is enough; below it is a note",
};
const REFUSED: Threshold = Threshold {
    name: "responses with a status of 500 or above",
    value: 0.001,
    unit: "share",
    source: "the usual objective of 99.9 %",
};
const WRONG: Threshold = Threshold {
    name: "responses with a status below 500 that failed a check of the scenario",
    value: 0.001,
    unit: "share",
    source: "the usual objective of 99.9 %",
};
/// From here on users notice.
const CRITICAL: f64 = 0.01;

pub(super) static RULE: Rule = Rule {
    id: "load-errors",
    about: "requests end without a response, with a status of 500 or above, or with a response that fails a check",
    thresholds: &[FAILED, REFUSED, WRONG],
    silent: "for statuses below 500, which are the client's, for time-outs (`load-timeouts`), and for what Ctrl-C cut off",
    why: "Connections are refused if nobody listens or the queue of the listening socket is full; they are reset if the service \
          closes them while a request is under way, as it does at a limit or in a crash. A status of 500 is an exception in the \
          service, 502 to 504 come from what stands before it. Failed requests are often quick, so they make the percentiles better.",
    tries: &[
        "Read the service's log at the time of the first of them",
        "If connections are refused or reset: compare `net.core.somaxconn`, the limit of open files and the service's limit of \
         connections with the connections of the run",
        "If checks fail: `requests` in run.json says which, by request",
        "If the status is 503: look for a limiter of concurrency or a probe that takes the service out",
    ],
    verify: "In a repeated run at the same rate the share is below 0.1 %.",
    view: view("what failed", "failures", FAILURES),
    needs: |facts| {
        if facts.metric("responses").is_some() { Ok(()) } else { Err("run.json: how requests ended") }
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Found> {
    let planned = facts.planned()?;
    // Who ended the run cut off what was under way; the service did not fail.
    let errors = facts.metric("errors").unwrap_or(0.0) - facts.metric("errors.interrupted").unwrap_or(0.0);
    let of = &facts.load.statuses;
    let rows = (0..of.count.len()).filter_map(|at| of.row(at));
    let is_failed = |status: &str| status.parse::<u32>().is_ok_and(|status| (500..600).contains(&status));
    let statuses: Vec<(&str, f64)> = rows
        .map(|row| (facts.load.strings.text(row.what), real(row.count)))
        .filter(|(status, count)| is_failed(status) && *count > 0.0)
        .collect();
    // The sum of nothing is -0.
    let failed = statuses.iter().map(|(_, count)| count).sum::<f64>().abs();
    // A response that failed by its status and by a check has failed once.
    let wrong = (facts.metric("failed_responses").unwrap_or(0.0) - failed).max(0.0);
    if errors + failed + wrong <= 0.0 {
        return None;
    }
    let [of_errors, of_statuses, of_wrong] = [errors, failed, wrong].map(|count| count / planned);
    let all = of_errors + of_statuses + of_wrong;
    let mut kinds = kinds(facts);
    kinds.extend(statuses.iter().map(|(status, count)| (format!("status {status}"), *count)));
    if wrong > 0.0 {
        kinds.push(("failed checks".to_owned(), wrong));
    }
    kinds.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let (first, most) = kinds.first().cloned().unwrap_or_else(|| ("of an unknown kind".to_owned(), errors));
    let kind = if kinds.len() == 1 {
        format!("all of them {first}")
    } else {
        format!("most often {first}, {} times", short(most))
    };
    let is_above = of_errors >= FAILED.value || of_statuses >= REFUSED.value || of_wrong >= WRONG.value;
    Some(Found {
        title: format!("{} of the requests fail, {kind}", show(all, "share")),
        severity: match () {
            () if all >= CRITICAL => Severity::Critical,
            () if is_above => Severity::Warning,
            () => Severity::Note,
        },
        score: (all / CRITICAL).min(1.0),
        measured: vec![
            FAILED.measured(of_errors),
            REFUSED.measured(of_statuses),
            WRONG.measured(of_wrong),
            explains("failed requests", errors + failed + wrong, ""),
        ],
        evidence: vec![
            rows_of(
                "failures",
                "select what, count from failures order by count desc",
                kinds.len().saturating_sub(statuses.len()).saturating_sub(usize::from(wrong > 0.0)),
            ),
            rows_of(
                "statuses",
                "select what, count from statuses where what >= '500' order by count desc",
                statuses.len(),
            ),
        ],
    })
}

/// The kinds of errors with their counts, without time-outs and what the user interrupted.
fn kinds(facts: &Facts<'_>) -> Vec<(String, f64)> {
    let of = &facts.load.failures;
    let rows = (0..of.count.len()).filter_map(|at| of.row(at));
    let named = rows.map(|row| (facts.load.strings.text(row.what).to_owned(), real(row.count)));
    named
        .filter(|(what, count)| !["timeout", "interrupted"].contains(&what.as_str()) && *count > 0.0)
        .collect()
}
