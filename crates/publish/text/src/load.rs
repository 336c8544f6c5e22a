//! The result of a load run: what became of every planned request, how long answers took, and how well the generator did.

mod live;
mod prometheus;
mod requests;

pub use live::Live;
pub use prometheus::prometheus;

use crate::page::{Page, Tone};
use crate::width::Width;
use anstyle::Style;
use base::number::{grouped, real_u64};
use load::{
    Drive, Failure, Figures, Objective, Percentiles, Plan, Protocol, Run, Schedule, Shift, Steadiness,
    Verdict,
};
use report::unit::{duration, show};

/// The width of a value in the table of latencies.
const VALUE: usize = 8;
/// The width of its names.
const NAME: usize = 18;
/// The basis of latencies matters if the two differ by this factor.
const DIFFERENT: f64 = 1.5;
/// Changes of the latency that are named.
const MAX_CHANGES: usize = 3;

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// What was to be done.
    pub plan: &'a Plan,
    /// What came of it.
    pub run: &'a Run,
    /// The run before it, which is part of no figure.
    pub warmup: Option<&'a Run>,
    /// The objectives.
    pub verdicts: &'a [(&'a Objective, Verdict)],
    /// Where the run is kept.
    pub out: Option<&'a str>,
}

/// The page of a run.
pub fn page(shown: &Shown<'_>, width: Width) -> String {
    let Shown { plan, run, warmup, verdicts, out } = *shown;
    let figures = Figures::of(plan, run);
    let mut page = Page::new(width);
    match &plan.scenario {
        Some(scenario) => page.title(&requests::title(scenario, &plan.target.url())),
        None => page.title(&format!("{} {}", plan.method, plan.target.url())),
    }
    page.line("", &what(plan));
    if let Some(scenario) = &plan.scenario {
        requests::arrivals(&mut page, scenario, run);
    }
    if let Some(abort) = &run.abort {
        let text = format!("after {}: {}", duration(abort.at_s * 1e3), abort.reason.words());
        page.warning("aborted", &text);
    } else if run.is_interrupted {
        page.warning("interrupted", &format!("after {}", duration(run.due_seconds * 1e3)));
    }
    page.gap();
    accounts(&mut page, run);
    page.gap();
    latencies(&mut page, &figures, run);
    page.gap();
    if let Some(scenario) = &plan.scenario {
        requests::table(&mut page, scenario, plan, run);
        page.gap();
    }
    rates(&mut page, &figures, run);
    generator(&mut page, &figures, plan, run);
    steadiness(&mut page, &Steadiness::of(run));
    if let Some(warmup) = warmup {
        let text = format!(
            "{} planned, {} answered; not part of any figure",
            grouped(warmup.planned),
            grouped(warmup.counts.responses)
        );
        page.line("warm-up", &text);
    }
    if !verdicts.is_empty() {
        page.gap();
    }
    for (objective, verdict) in verdicts {
        let value = |value: f64| show(value, objective.unit());
        let (tone, text) = match verdict {
            Verdict::Met(of) => (Tone::Good, format!("met: {}", value(*of))),
            Verdict::Missed(of) => (Tone::Bad, format!("missed: {}", value(*of))),
            Verdict::TooFew => {
                (Tone::Bad, "cannot be judged: too few requests for this percentile".to_owned())
            }
        };
        page.block("objective", tone, &format!("{}: {text}", objective.text()));
    }
    if let Some(out) = out {
        page.gap();
        page.command(&["next:", "casebook", "open", out]);
    }
    page.into_text()
}

/// What was asked for, in words.
fn what(plan: &Plan) -> String {
    let time = duration(plan.duration.as_secs_f64() * 1e3);
    let rate = |rate: f64| show(rate, "1/s");
    let (drive, part) = match &plan.drive {
        Drive::Schedule(Schedule::Part { of, number, parts }) => {
            (&Drive::Schedule((**of).clone()), format!(" · worker {number} of {parts}"))
        }
        whole => (whole, String::new()),
    };
    let drive = match drive {
        // A part has been taken apart.
        Drive::Schedule(Schedule::Part { .. }) => String::new(),
        Drive::Schedule(Schedule::Constant { rate: of }) => format!("{} for {time}", rate(*of)),
        Drive::Schedule(Schedule::Steps { rates }) => {
            let rates: Vec<String> = rates.iter().map(|of| rate(*of)).collect();
            format!("{} for {time} in all", rates.join(", then "))
        }
        Drive::Schedule(Schedule::Ramp { from, to }) => {
            format!("{} to {} within {time}", rate(*from), rate(*to))
        }
        Drive::Schedule(Schedule::Poisson { rate: of, seed }) => {
            format!("{} on average at random times (seed {seed}) for {time}", rate(*of))
        }
        Drive::Schedule(Schedule::Replay { times_ns }) => {
            format!("{} given times within {time}", grouped(base::number::wide(times_ns.len())))
        }
        Drive::Users { users, think } if think.is_zero() => format!("{users} users for {time}"),
        Drive::Users { users, think } => format!(
            "{users} users who think for {} each time, for {time}",
            duration(think.as_secs_f64() * 1e3)
        ),
        Drive::Max => format!("as fast as possible for {time}"),
    };
    let kept = if plan.keeps_alive { "" } else { ", a new one for each request" };
    let protocol = match plan.protocol {
        Protocol::Http1 => String::new(),
        Protocol::Http2 { streams: 1 } => " of HTTP/2".to_owned(),
        Protocol::Http2 { streams } => format!(" of HTTP/2 with up to {streams} streams each"),
    };
    format!(
        "{drive}{part} · up to {} connections{protocol}{kept} · time-out {}",
        plan.connections,
        duration(plan.timeout.as_secs_f64() * 1e3)
    )
}

/// What to do about an error of TLS.
fn of_tls(error: &str) -> &'static str {
    if error.contains("CaUsedAsEndEntity") || error.contains("UnknownIssuer") {
        ". If you know the certificate, name it with --cacert FILE, or accept any with --insecure"
    } else if error.contains("InvalidContentType") {
        ". The service does not speak TLS there: is it http?"
    } else {
        ""
    }
}

fn accounts(page: &mut Page, run: &Run) {
    let counts = &run.counts;
    let share = |count: u64| show(real_u64(count) / real_u64(run.planned.max(1)), "share");
    page.line("planned", &format!("{} requests", grouped(run.planned)));
    let mut statuses = counts.statuses.clone();
    statuses.sort_unstable();
    let of_status: Vec<String> =
        statuses.iter().map(|(status, count)| format!("status {status}: {}", grouped(*count))).collect();
    let answered = format!("{} ({})", grouped(counts.responses), share(counts.responses));
    page.line(
        "answered",
        &if of_status.is_empty() { answered } else { format!("{answered} · {}", of_status.join(" · ")) },
    );
    for (failure, count) in run.errors() {
        let cause = match &run.tls_error {
            Some(error) if failure == Failure::Tls => format!(": {error}{}", of_tls(error)),
            _ => String::new(),
        };
        let text = format!("{} ({}): {}{cause}", grouped(count), share(count), failure.words());
        page.block("failed", Tone::Bad, &text);
    }
    if counts.timeouts > 0 {
        let text =
            format!("{} ({}): no complete answer in time", grouped(counts.timeouts), share(counts.timeouts));
        page.block("timed out", Tone::Bad, &text);
    }
    if counts.failed_checks > 0 {
        let text = format!(
            "{} ({}): answered, but the answer failed a check",
            grouped(counts.failed_checks),
            share(counts.failed_checks)
        );
        page.block("unexpected", Tone::Bad, &text);
    }
    let (skipped, refused) = (counts.skipped, counts.refused);
    for (count, why) in [
        (counts.unsent - skipped - refused, "no connection was free until the end"),
        (skipped, "an earlier request of the flow failed, or the run ended before its turn"),
        (refused, "a value does not fit into the request"),
    ] {
        if count > 0 {
            page.block("never sent", Tone::Bad, &format!("{} ({}): {why}", grouped(count), share(count)));
        }
    }
}

fn latencies(page: &mut Page, figures: &Figures, run: &Run) {
    let heads = ["p50", "p90", "p95", "p99", "p99.9", "max"].map(|head| format!("{head:>VALUE$}"));
    page.line_as("latency", &format!("{:NAME$}{}", "", heads.join("")), Style::new().dimmed());
    let row = |page: &mut Page, name: &str, of: &Percentiles| {
        let value = |(_, value): (&str, Option<f64>)| {
            format!("{:>VALUE$}", value.map_or_else(|| "–".to_owned(), duration))
        };
        page.line_as("", &format!("{name:NAME$}{}", of.named().map(value).join("")), Style::new());
    };
    if let Some(of) = &figures.from_schedule {
        row(page, "from the schedule", of);
    }
    row(page, "from the send", &figures.from_send);
    let Some(of) = &figures.from_schedule else {
        return page.line(
            "",
            "A closed loop waits for each answer before it asks again: while the service is slow it gets fewer requests, so these \
             percentiles do not say how long users wait who come at any time. A rate (--rate) does.",
        );
    };
    let differ = |schedule: Option<f64>, send: Option<f64>| {
        schedule
            .zip(send)
            .is_some_and(|(schedule, send)| schedule > send * DIFFERENT && schedule - send > 1.0)
    };
    let at = of
        .named()
        .into_iter()
        .zip(figures.from_send.named())
        .find(|(schedule, send)| differ(schedule.1, send.1));
    if let Some(((name, schedule), (_, send))) = at {
        let between_ms = schedule.zip(send).map_or(0.0, |(schedule, send)| schedule - send);
        let [schedule, send] = [schedule, send].map(|of| of.map_or_else(String::new, duration));
        let between = format!(
            "At {name}, {schedule} passed since a request was due, but only {send} since it was sent: "
        );
        let late = figures.generator.lateness_ms_max.unwrap_or(0.0);
        let why = if between_ms <= late {
            "the generator sent it late, which says nothing of the service. See the line about the generator."
        } else if figures.generator.is_limited {
            "the generator sent it late, or all connections were busy. See the line about the generator."
        } else {
            "all connections were busy, so requests waited for one. Users wait from when they come, so the schedule counts."
        };
        page.line("", &(between + why));
    }
    if run.counts.timeouts + run.counts.unsent > run.counts.skipped + run.counts.refused {
        page.line("", "Requests that timed out or were never sent count with the time that they waited, which is less than they would have.");
    }
    if run.counts.failed() > 0 {
        page.line("", "Failed requests have no latency: these percentiles are of the others.");
    }
}

fn rates(page: &mut Page, figures: &Figures, run: &Run) {
    let rate = |of: f64| show(of, "1/s");
    let asked = figures.asked_rate.map_or_else(String::new, |of| format!("asked {} · ", rate(of)));
    let text = format!("{asked}sent {} · answered {}", rate(figures.sent_rate), rate(figures.answered_rate));
    page.line("rate", &text);
    let after = real_u64(run.counts.last_response_ns) / 1e9 - run.due_seconds;
    if after > 0.5 && !run.is_interrupted {
        page.line(
            "",
            &format!("The last answer came {} after the last request was due.", duration(after * 1e3)),
        );
    }
}

fn steadiness(page: &mut Page, of: &Steadiness) {
    let text = match of {
        Steadiness::TooShort => {
            format!("not tested: the test needs {} s with answers", Steadiness::MIN_SECONDS)
        }
        Steadiness::Steady => "the latency did not change for good during the run".to_owned(),
        Steadiness::Changed(changes) => {
            let change = |of: &Shift| {
                let [at, before, after] = [real_u64(of.ts_ns) / 1e6, of.before_ms, of.after_ms].map(duration);
                format!("{} changes at {at} from {before} to {after}", of.metric)
            };
            let shown: Vec<String> = changes.iter().take(MAX_CHANGES).map(change).collect();
            let more = changes.len().saturating_sub(MAX_CHANGES);
            let more = if more > 0 { format!(", and {more} more times") } else { String::new() };
            let text = format!(
                "not steady: {}{more}. One percentile for the whole run describes no part of it.",
                shown.join(", ")
            );
            return page.warning("steady", &text);
        }
    };
    page.line("steady", &text);
}

fn generator(page: &mut Page, figures: &Figures, plan: &Plan, run: &Run) {
    let of = figures.generator;
    let mut text = format!("{} of a core", show(of.cpu_share, "share"));
    let late = match (of.lateness_ms_p99, of.lateness_ms_max) {
        (Some(p99), Some(max)) => {
            format!(" · 99 % of requests sent at most {} late, all at most {}", duration(p99), duration(max))
        }
        (None, Some(max)) => format!(" · no request sent more than {} late", duration(max)),
        (_, None) => String::new(),
    };
    text.push_str(&late);
    page.line("generator", &text);
    if of.was_stopped() {
        let text = format!(
            "The generator itself was stopped for {} in all: what was due then was sent late. That is this machine, not the service.",
            duration(of.stopped_ms)
        );
        page.warning("", &text);
    } else if of.is_limited {
        page.warning(
            "",
            "The generator is a part of what was measured. Use a lower rate, more threads (--threads), or another machine.",
        );
    }
    if plan.keeps_alive && run.connections < u64::from(plan.connections) {
        let text = format!(
            "Only {} of {} connections could be opened at the beginning.",
            run.connections, plan.connections
        );
        page.warning("", &text);
    }
}
