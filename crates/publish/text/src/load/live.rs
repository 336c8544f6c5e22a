//! A run while it goes on: a block of lines that is drawn again each second.

use crate::sparkline::sparkline;
use crate::width::Width;
use base::number::{count, grouped, real_u64};
use hdrhistogram::Histogram;
use load::{Counts, Latencies, Plan, Second, quantile_ms};
use report::unit::{duration, show};
use std::collections::VecDeque;

/// Seconds that "the last seconds" have.
const LAST: usize = 5;
/// Seconds whose p99 is kept for the sparkline: as many as the widest page has letters.
const KEPT: usize = Width::MAX;
/// The width of a label.
const LABEL: usize = 11;
/// The width of a value in the table of latencies.
const VALUE: usize = 10;
/// The width of a name there.
const NAME: usize = 13;
/// Columns of the bar.
const BAR: usize = 24;

/// What was measured so far. Its size does not depend on the length of the run.
#[derive(Debug)]
pub struct Live<'a> {
    what: &'static str,
    plan: &'a Plan,
    counts: Counts,
    asked: u64,
    all: Latencies,
    last: VecDeque<(Second, Latencies)>,
    /// The p99 of each of the last seconds; the longest latency of a second with too few requests for it.
    p99: VecDeque<Option<f64>>,
    cpu_share: Option<f64>,
}

impl<'a> Live<'a> {
    /// Nothing was measured. `what` names the run: `load` or `warm-up`.
    pub fn new(what: &'static str, plan: &'a Plan) -> Self {
        Self {
            what,
            plan,
            counts: Counts::default(),
            asked: 0,
            all: Latencies::default(),
            last: VecDeque::new(),
            p99: VecDeque::new(),
            cpu_share: None,
        }
    }

    /// Adds what happened in the next second. `cpu_share` is the share of a core that this process used in it, if it is known.
    pub fn add(&mut self, second: &Second, latencies: &Latencies, cpu_share: Option<f64>) {
        self.counts.add(&second.counts);
        self.asked += second.asked;
        self.all.add(latencies);
        let of = self.basis(latencies);
        let longest = || (!of.is_empty()).then(|| real_u64(of.max()) / 1e6);
        let p99 = quantile_ms(of, 0.99).or_else(longest);
        push(&mut self.p99, p99, KEPT);
        push(&mut self.last, (second.clone(), latencies.clone()), LAST);
        self.cpu_share = cpu_share;
    }

    fn basis<'l>(&self, of: &'l Latencies) -> &'l Histogram<u64> {
        if self.plan.planned().is_some() { &of.schedule } else { &of.send }
    }

    /// One line, for whoever has no terminal: what was asked and answered in the last second.
    pub fn line(&self) -> String {
        let Some((second, latest)) = self.last.back() else { return String::new() };
        let at = real_u64(second.ts_ns + second.dur_ns) / 1e9;
        let total = self.plan.duration.as_secs_f64();
        let time =
            if at <= total { format!("{at:.0} of {total:.0} s") } else { "the last answers".to_owned() };
        let p99 = quantile_ms(self.basis(latest), 0.99);
        let p99 = p99.map_or_else(String::new, |ms| format!(" · p99 {}", duration(ms)));
        format!("{}: {time} · {}{p99} · {}", self.what, self.rate(second), self.failed())
    }

    /// The lines, none wider than the width.
    pub fn lines(&self, width: Width) -> Vec<String> {
        let Some((second, latest)) = self.last.back() else { return Vec::new() };
        let label = |name: &str, text: &str| format!("{name:LABEL$}{text}");
        let mut lines = vec![self.time(second), label("rate", &self.rate(second))];
        let heads = ["p50", "p90", "p99", "max"].map(|head| format!("{head:>VALUE$}"));
        lines.push(label("latency", &format!("{:NAME$}{}", "", heads.concat())));
        lines.push(label("", &row("so far", self.basis(&self.all))));
        let mut last = self.basis(latest).clone();
        for (_, of) in self.last.iter().rev().skip(1) {
            if last.add(self.basis(of)).is_err() {
                unreachable!("all histograms have the same bounds");
            }
        }
        lines.push(label("", &row(&format!("last {} s", self.last.len()), &last)));
        lines.push(label("failed", &self.failed()));
        lines.push(label("generator", &self.generator(second)));
        let room = width.columns().saturating_sub(LABEL);
        let from = self.p99.len().saturating_sub(room);
        let shown: Vec<Option<f64>> = self.p99.iter().skip(from).copied().collect();
        lines.push(label("p99 per s", &sparkline(&shown)));
        lines.into_iter().map(|line| line.chars().take(width.columns()).collect()).collect()
    }

    fn time(&self, second: &Second) -> String {
        let at = real_u64(second.ts_ns + second.dur_ns) / 1e9;
        let total = self.plan.duration.as_secs_f64();
        if at > total {
            return format!("{:LABEL$}waits for the last answers", self.what);
        }
        let share = at / total.max(1e-9);
        let full = (0..BAR).filter(|place| count(*place) + 0.5 < share * count(BAR)).count();
        let bar = "█".repeat(full) + &"░".repeat(BAR - full);
        let left = duration((total - at).max(0.0).round() * 1e3);
        format!("{:LABEL$}{bar}  {at:.0} of {total:.0} s, {left} left", self.what)
    }

    fn rate(&self, second: &Second) -> String {
        let seconds = (real_u64(second.dur_ns) / 1e9).max(1e-9);
        let rate = |of: u64| show(real_u64(of) / seconds, "1/s");
        let asked = if self.plan.planned().is_some() {
            format!("asked {} · ", rate(second.asked))
        } else {
            String::new()
        };
        let Counts { sent, responses, .. } = second.counts;
        let waiting = self.asked.saturating_sub(self.counts.sent + self.counts.unsent);
        let waiting =
            if waiting > 0 { format!(" · {} wait to be sent", grouped(waiting)) } else { String::new() };
        format!("{asked}sent {} · answered {}{waiting}", rate(sent), rate(responses))
    }

    fn failed(&self) -> String {
        let of = &self.counts;
        let share = |count: u64| {
            let all = of.responses + of.failed() + of.timeouts + of.unsent;
            if count > 0 {
                format!(" ({})", show(real_u64(count) / real_u64(all.max(1)), "share"))
            } else {
                String::new()
            }
        };
        let statuses = of.statuses.iter().filter(|(status, _)| *status >= 500).map(|(_, count)| count).sum();
        format!(
            "{} errors{} · {} time-outs{} · {} with status 5xx{}",
            grouped(of.failed()),
            share(of.failed()),
            grouped(of.timeouts),
            share(of.timeouts),
            grouped(statuses),
            share(statuses)
        )
    }

    fn generator(&self, second: &Second) -> String {
        let cpu = self.cpu_share.map_or_else(String::new, |of| format!("{} of a core · ", show(of, "share")));
        let late = duration(real_u64(second.counts.lateness_max_ns) / 1e6);
        let stopped = real_u64(self.counts.stopped_ns) / 1e6;
        let stopped = if stopped > 0.0 {
            format!(" · stopped for {} in all", duration(stopped))
        } else {
            String::new()
        };
        format!("{cpu}sent up to {late} late{stopped}")
    }
}

/// Adds to a list of limited length.
fn push<T>(list: &mut VecDeque<T>, value: T, most: usize) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(value);
}

fn row(name: &str, of: &Histogram<u64>) -> String {
    let max = (!of.is_empty()).then(|| real_u64(of.max()) / 1e6);
    let values = [0.5, 0.9, 0.99].map(|quantile| quantile_ms(of, quantile)).into_iter().chain([max]);
    let values = values.map(|value| format!("{:>VALUE$}", value.map_or_else(|| "–".to_owned(), duration)));
    format!("{name:NAME$}{}", values.collect::<Vec<_>>().concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use load::{Drive, Schedule, Target};
    use std::time::Duration;

    fn plan() -> Plan {
        Plan {
            drive: Drive::Schedule(Schedule::Constant { rate: 200.0 }),
            duration: Duration::from_mins(5),
            connections: 1,
            timeout: Duration::from_secs(10),
            ..Plan::to(Target::parse("http://127.0.0.1:1/").unwrap())
        }
    }

    #[test]
    fn the_block_says_what_happens_and_has_the_same_height_all_the_time() {
        let plan = plan();
        let mut live = Live::new("load", &plan);
        assert_eq!(live.lines(Width::of(80)), [""; 0]);
        for at in 0..200u64 {
            let mut latencies = Latencies::default();
            let slow = if at % 5 == 4 { 900 } else { 20 };
            latencies.schedule.record_n(2_000_000, 150).unwrap();
            latencies.schedule.record_n(slow * 1_000_000, 50).unwrap();
            let counts = Counts {
                sent: 199,
                responses: 190,
                timeouts: 2,
                statuses: vec![(200, 180), (503, 10)],
                lateness_max_ns: 300_000,
                ..Counts::default()
            };
            let second = Second {
                ts_ns: at * 1_000_000_000,
                dur_ns: 1_000_000_000,
                asked: 200,
                counts,
                ..Second::default()
            };
            live.add(&second, &latencies, Some(0.12));
            for columns in [40, 80, 140] {
                let lines = live.lines(Width::of(columns));
                assert!(
                    lines.len() == 8 && lines.iter().all(|line| line.chars().count() <= columns),
                    "{lines:#?}"
                );
            }
        }
        let expected = [
            "load       ████████████████░░░░░░░░  200 of 300 s, 100 s left",
            "rate       asked 200/s · sent 199/s · answered 190/s · 200 wait to be sent",
            "latency                        p50       p90       p99       max",
            "           so far          2.00 ms   20.0 ms    900 ms    900 ms",
            "           last 5 s        2.00 ms   20.0 ms    900 ms    900 ms",
            "failed     0 errors · 400 time-outs (1.04 %) · 2,000 with status 5xx (5.21 %)",
            "generator  12 % of a core · sent up to 300 µs late",
        ];
        let lines = live.lines(Width::of(80));
        assert_eq!(lines[..7], expected);
        let blocks: Vec<char> = lines[7].chars().rev().take(5).collect();
        assert_eq!(blocks, ['█', '▁', '▁', '▁', '▁']);
    }
}
