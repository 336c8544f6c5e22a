//! Whether a run still makes sense: an objective that cannot be met any more, or a rate that cannot be reached.
//!
//! An objective is **lost** once nothing that may still happen can meet it. The number of planned requests is known, so this is exact:
//!
//! - a percentile: of n planned requests, p99 is the value at rank ⌈0.99·n⌉. Once more than n − ⌈0.99·n⌉ of them took too long, it is
//!   too long, however fast the others are. Failed requests have no latency, so n is what was planned without them.
//! - the longest latency: one request is enough;
//! - errors: once so many failed that the share of all planned requests is above the bound;
//! - the rate of responses: if all that is left were answered in time, it would be too low.
//!
//! Errors are also lost once the share so far is clearly above the bound: by Wilson's interval, a chance of one in 2,000. A closed loop
//! plans no number of requests. Of its objectives, only errors and the longest latency can be lost.
//!
//! A rate is **unreachable** if requests wait to be sent, more at the end of each of the last five seconds, and if so many are left
//! that they cannot all be sent before the end and the time-out after it, even as fast as in the best of these seconds: all
//! connections were busy then, so that is what they can do.

use crate::plan::Plan;
use crate::reason::{Abort, Reason};
use crate::record::{Counts, Latencies};
use crate::second::Second;
use crate::slo::{Objective, Watched};
use base::number::real_u64;
use std::collections::VecDeque;

/// Seconds in which more and more requests must have waited.
const SECONDS: usize = 5;
/// A second with fewer answers than this part of what is sent is one of a service that stops answering.
const SILENT: u64 = 10;
/// Errors are judged by their share so far if so many requests have ended.
const MIN_ENDED: u64 = 100;
/// How many standard errors a share must be above its bound: one in 2,000 is by chance.
const CLEARLY: f64 = 3.29;

/// What was sent within a second, and what waited at its end.
#[derive(Debug, Clone, Copy)]
struct LastSecond {
    sent: u64,
    /// What was answered or failed meanwhile.
    ended: u64,
    waiting: u64,
}

/// Follows a run, second by second.
#[derive(Debug)]
pub struct Prospects<'a> {
    plan: &'a Plan,
    planned: Option<u64>,
    objectives: Vec<&'a Objective>,
    counts: Counts,
    latencies: Latencies,
    /// Requests that were due.
    due: u64,
    /// The last seconds.
    last: VecDeque<LastSecond>,
    is_unreachable: bool,
}

impl<'a> Prospects<'a> {
    /// Those of a run that has not begun.
    pub fn new(plan: &'a Plan, objectives: &'a [Objective]) -> Self {
        Self {
            plan,
            planned: plan.planned(),
            objectives: objectives.iter().collect(),
            counts: Counts::default(),
            latencies: Latencies::default(),
            due: 0,
            last: VecDeque::new(),
            is_unreachable: false,
        }
    }

    /// Adds what happened in the next second. Returns what is lost since, each once.
    pub fn take(&mut self, second: &Second, latencies: &Latencies) -> Vec<Abort> {
        self.counts.add(&second.counts);
        self.latencies.add(latencies);
        self.due += second.asked;
        let at_s = real_u64(second.ts_ns + second.dur_ns) / 1e9;
        let mut lost = Vec::new();
        let objectives = std::mem::take(&mut self.objectives);
        for of in objectives {
            match self.lost(of) {
                Some(why) => {
                    let reason = Reason::Objective { objective: of.text().to_owned(), why };
                    lost.push(Abort { reason, at_s });
                }
                None => self.objectives.push(of),
            }
        }
        if let Some(why) = self.unreachable(second, at_s).filter(|_| !self.is_unreachable) {
            self.is_unreachable = true;
            lost.push(Abort { reason: Reason::Unreachable { why }, at_s });
        }
        lost
    }

    /// Why an objective cannot be met any more, if so.
    fn lost(&self, of: &Objective) -> Option<String> {
        match of.watched()? {
            Watched::Latency(quantile) => {
                let planned = self.planned?;
                let samples = planned.saturating_sub(self.counts.failed());
                let slow = of.misses(self.samples());
                let allowed = samples.saturating_sub(rank(samples, quantile));
                (slow > allowed).then(|| {
                    format!("{slow} requests took too long, and of {samples} planned ones only {allowed} may")
                })
            }
            Watched::Longest => {
                let slow = of.misses(self.samples());
                (slow > 0).then(|| format!("{slow} requests took too long"))
            }
            Watched::Errors(bound) => self.errors(of, bound),
            Watched::Rate => {
                let planned = self.planned?;
                let ended = self.counts.failed() + self.counts.timeouts + self.counts.unsent;
                let most = real_u64(planned.saturating_sub(ended)) / self.plan.duration.as_secs_f64();
                (!of.holds(most)).then(|| {
                    format!("even if all that is left is answered in time, {most:.1} per second are answered")
                })
            }
        }
    }

    fn samples(&self) -> &hdrhistogram::Histogram<u64> {
        if self.planned.is_some() { &self.latencies.schedule } else { &self.latencies.send }
    }

    fn errors(&self, of: &Objective, bound: f64) -> Option<String> {
        let ended = self.counts.responses + self.counts.failed() + self.counts.timeouts + self.counts.unsent;
        let failed = self.counts.without_use();
        let is_lost =
            self.planned.is_some_and(|planned| !of.holds(real_u64(failed) / real_u64(planned.max(1))));
        let is_clear = ended >= MIN_ENDED && at_least(failed, ended) > bound;
        (is_lost || is_clear).then(|| format!("{failed} of {ended} requests failed"))
    }

    /// Why the rate cannot be reached, if so.
    fn unreachable(&mut self, second: &Second, at_s: f64) -> Option<String> {
        let planned = self.planned?;
        let Counts { sent, unsent, .. } = self.counts;
        let waiting = self.due.saturating_sub(sent + unsent);
        if self.last.len() > SECONDS {
            self.last.pop_front();
        }
        let ended = second.counts.responses + second.counts.failed();
        self.last.push_back(LastSecond { sent: second.counts.sent, ended, waiting });
        let grows =
            self.last.iter().zip(self.last.iter().skip(1)).all(|(one, next)| next.waiting > one.waiting);
        let end_s = self.plan.duration.as_secs_f64();
        // After the schedule, what waits becomes less in any case.
        if self.last.len() <= SECONDS || !grows || at_s > end_s {
            return None;
        }
        let best = self.last.iter().skip(1).map(|of| of.sent).max().unwrap_or(0);
        // A service that answers nothing for a while has no rate: what waits is sent when it goes on.
        let is_silent = |of: &LastSecond| of.ended.saturating_mul(SILENT) < best;
        if self.last.iter().skip(1).any(is_silent) {
            return None;
        }
        let left = planned.saturating_sub(sent + unsent);
        let time_s = end_s + self.plan.timeout.as_secs_f64() - at_s;
        (real_u64(left) > real_u64(best) * time_s).then(|| {
            format!(
                "{waiting} requests wait to be sent, and at the {best} per second that all connections send, {left} cannot be sent \
                 within the {time_s:.0} s that are left"
            )
        })
    }
}

/// The rank of a quantile among so many values, from 1 on.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and at most the number of values"
)]
fn rank(values: u64, quantile: f64) -> u64 {
    // Such as 0.99 · 100, which may be a little more than 99.
    (quantile * real_u64(values) - 1e-9).ceil().max(0.0) as u64
}

/// The lower end of Wilson's interval for a share (E. Wilson, Probable Inference, Journal of the American Statistical Association 22,
/// 1927).
fn at_least(of: u64, all: u64) -> f64 {
    let (number, square) = (real_u64(all), CLEARLY * CLEARLY);
    let share = real_u64(of) / number;
    let middle = share + square / (2.0 * number);
    let width = CLEARLY * (share * (1.0 - share) / number + square / (4.0 * number * number)).sqrt();
    (middle - width) / (1.0 + square / number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Drive;
    use crate::schedule::Schedule;
    use crate::target::Target;
    use std::time::Duration;

    fn plan(rate: f64, seconds: u64) -> Plan {
        Plan {
            drive: Drive::Schedule(Schedule::Constant { rate }),
            duration: Duration::from_secs(seconds),
            connections: 1,
            timeout: Duration::from_secs(10),
            ..Plan::to(Target::parse("http://127.0.0.1:1/").unwrap())
        }
    }

    /// A second in which requests took so long, in milliseconds, and others failed.
    fn second(at: u64, asked: u64, took: &[(u64, u64)], failed: u64) -> (Second, Latencies) {
        let mut latencies = Latencies::default();
        for (ms, number) in took {
            for histogram in [&mut latencies.schedule, &mut latencies.send] {
                histogram.record_n(ms * 1_000_000, *number).unwrap();
            }
        }
        let responses = took.iter().map(|(_, number)| number).sum::<u64>();
        let mut counts = Counts { sent: responses + failed, responses, ..Counts::default() };
        counts.errors[1] = failed;
        let (ts_ns, dur_ns) = (at * 1_000_000_000, 1_000_000_000);
        (Second { ts_ns, dur_ns, asked, counts, ..Second::default() }, latencies)
    }

    /// In which second an objective is lost.
    fn lost(
        plan: &Plan,
        objective: &str,
        seconds: impl IntoIterator<Item = (Second, Latencies)>,
    ) -> Option<f64> {
        let objectives = [objective.parse().unwrap()];
        let mut prospects = Prospects::new(plan, &objectives);
        let mut found: Vec<Abort> = Vec::new();
        for (second, latencies) in seconds {
            found.extend(prospects.take(&second, &latencies));
        }
        found.retain(|of| of.reason.objective().is_some());
        assert!(found.len() <= 1, "{found:?}");
        found.first().map(|of| of.at_s)
    }

    #[test]
    fn a_percentile_is_lost_exactly_when_too_many_requests_took_too_long() {
        // 1,000 requests are planned: p99 is the 990th, so ten may take too long.
        let plan = plan(100.0, 10);
        let with = |slow: u64, failed: u64| {
            let seconds = (0..10).map(|at| match at {
                2 => second(2, 100, &[(60, slow), (1, 100 - slow)], 0),
                3 => second(3, 100, &[(1, 100 - failed)], failed),
                _ => second(at, 100, &[(1, 100)], 0),
            });
            let seconds: Vec<(Second, Latencies)> = seconds.collect();
            let mut all = Latencies::default();
            for (_, of) in &seconds {
                all.add(of);
            }
            let p99 = all.schedule.value_at_quantile(0.99);
            (lost(&plan, "p99<50ms", seconds), p99 >= 50_000_000)
        };
        assert_eq!(with(10, 0), (None, false));
        assert_eq!(with(11, 0), (Some(3.0), true));
        // Without those that failed, 900 have a latency, and nine may take too long.
        assert_eq!(with(10, 100), (Some(4.0), true));
        assert_eq!(with(9, 100), (None, false));
        let once = [second(0, 100, &[(1, 99), (60, 1)], 0)];
        assert_eq!(lost(&plan, "max<50ms", once.clone()), Some(1.0));
        assert_eq!(lost(&plan, "max<70ms", once), None);
    }

    #[test]
    fn errors_are_lost_when_they_are_too_many_of_all_or_clearly_too_many_so_far() {
        let plan = plan(100.0, 10);
        let all_fail = |at| second(at, 100, &[(1, 100 - 30)], 30);
        assert_eq!(lost(&plan, "errors<10%", (0..10).map(all_fail)), Some(1.0));
        // 21 of 1,000 are too many for 2 %, long before the end; 3 of 100 are not clearly more than 2 %.
        let few = |at| second(at, 100, &[(1, 97)], 3);
        assert_eq!(lost(&plan, "errors<2%", (0..10).map(few)), Some(7.0));
        assert_eq!(lost(&plan, "errors<4%", (0..10).map(few)), None);
        assert!((at_least(30, 100) - 0.175).abs() < 0.01, "{}", at_least(30, 100));
    }

    #[test]
    fn a_rate_of_responses_is_lost_when_too_few_are_left() {
        let plan = plan(100.0, 10);
        let half = |at| second(at, 100, &[(1, 50)], 50);
        assert_eq!(lost(&plan, "rate>=90", (0..10).map(half)), Some(3.0));
        assert_eq!(lost(&plan, "rate>=50", (0..10).map(half)), None);
    }

    #[test]
    fn a_rate_is_unreachable_when_what_waits_grows_and_cannot_be_sent_in_time() {
        let unreachable = |plan: &Plan, sent: fn(u64) -> u64| {
            let mut prospects = Prospects::new(plan, &[]);
            let found = (0..60).find_map(|at| {
                let (second, latencies) = second(at, 100, &[(1, sent(at))], 0);
                prospects.take(&second, &latencies).pop()
            });
            found.map(|of| of.at_s)
        };
        assert_eq!(unreachable(&plan(100.0, 60), |_| 50), Some(6.0));
        // What is sent late is still sent before the end and the time-out after it.
        assert_eq!(unreachable(&plan(100.0, 60), |_| 90), None);
        // A stop of 3 s in 10 s: what waits is worked off.
        assert_eq!(unreachable(&plan(100.0, 60), |at| if at % 10 < 3 { 0 } else { 143 }), None);
        assert_eq!(unreachable(&plan(100.0, 60), |_| 100), None);
        let hour = plan(100.0, 3_600);
        // While nothing is answered, time-outs free some connections: that is not a rate.
        let mut prospects = Prospects::new(&hour, &[]);
        let silent = (0..20).flat_map(|at| {
            let (mut second, latencies) = second(at, 100, &[], 0);
            second.counts = Counts { sent: 50, timeouts: 50, ..Counts::default() };
            prospects.take(&second, &latencies)
        });
        assert_eq!(silent.count(), 0);
    }
}
